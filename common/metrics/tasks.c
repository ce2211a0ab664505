/* Names of tasks. */
#include "common/metrics/tasks.h"
#include "common/metrics/metrics.h"
#include "common/run/utf8.h"

#include <stdio.h>
#include <string.h>

/* Tables have columns of these names whichever tasks there are, of metrics, and w_TASK. */
static const char *const columns[] = {"epoch", "step",  "split", "samples",
                                      "lr",    "total", "loss",  NULL};

static bool is_one_of(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

bool task_may_be_called(const char *name)
{
    for (enum family family = 0; family < FAMILIES; family++)
        if (is_one_of(metrics_keys(family), name))
            return false;
    return !is_one_of(columns, name) && strncmp(name, "w_", 2) != 0;
}

static const char may_not[] = "a task cannot be called so: tables have another column of that name";

void tasks_check_loss(const struct record *r, const char *name)
{
    if (!task_may_be_called(name))
        frame_fail(r->m, &r->frame, NULL, "loss '%s': %s", name, may_not);
}

/* False: there is no room. */
static bool add(struct tasks *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->names[i], name) == 0)
            return true;
    if (t->count == TASKS_MOST)
        return false;
    strcpy(t->names[t->count++], name);
    return true;
}

/* The same of an item of the header's; false too where it is no name. */
static bool add_item(struct tasks *t, const value *item)
{
    const msgpack_object_str *text = &item->via.str;
    char name[BODY_KEY + 1];
    if (item->type != MSGPACK_OBJECT_STR || !text->size || text->size > BODY_KEY ||
        !utf8_printable(text->ptr, text->size))
        return false;
    snprintf(name, sizeof name, "%.*s", (int)text->size, text->ptr);
    return add(t, name);
}

struct tasks tasks_of(const struct header *h)
{
    const value *names = value_get(&h->map, "tasks");
    struct tasks t = {0};
    bool good = !names || names->type == MSGPACK_OBJECT_ARRAY;
    for (uint32_t i = 0; good && names && i < names->via.array.size; i++)
        good = add_item(&t, &names->via.array.ptr[i]);
    if (!good)
        msa_fail(h->m, MSA_CORRUPT,
                 "header: 'tasks' is not an array of at most %d names, each a printable str of 1 "
                 "to %d bytes",
                 TASKS_MOST, BODY_KEY);
    for (int i = 0; i < t.count; i++)
        if (!task_may_be_called(t.names[i]))
            msa_fail(h->m, MSA_CORRUPT, "header: 'tasks': '%s': %s", t.names[i], may_not);
    return t;
}

void tasks_add_record(struct tasks *t, const struct record *r)
{
    const value *losses = value_get(&r->map, "loss");
    for (uint32_t i = 0; losses && i < losses->via.map.size; i++) {
        char name[BODY_KEY + 1];
        tasks_check_loss(r, value_key(losses, i, name));
        if (!add(t, name))
            frame_fail(r->m, &r->frame, NULL, "loss '%s' is one more than the %d tasks of a line",
                       name, TASKS_MOST);
    }
}
