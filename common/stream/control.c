/* Control frames. */
#include "common/stream/control.h"
#include "common/stream/body.h"
#include "common/stream/frame_fields.h"

struct control control_new(struct msa *m)
{
    return (struct control){.map = value_map(), .zone = value_zone(m), .m = m};
}

struct control control_parse(struct msa *m, const struct frame *f)
{
    static const char *const counts[] = {"epoch", "step", "checkpoint"};
    static const char *const flags[] = {"epoch_done", "best", "stop", "finite", "survey"};
    struct control c = control_new(m);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        field_int(m, f, counts[i], 0, 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        field_bool(m, f, flags[i], false);
    field_map(m, f, "state");
    c.map = value_copy(m, c.zone, f->map);
    return c;
}

bool control_is_survey(const struct control *c)
{
    return value_bool(&c->map, "survey", false);
}

void control_write(const struct control *c, struct writer *w, enum frame_kind kind)
{
    struct body *b = body_begin(w);
    body_value(b, &c->map);
    body_write(w, b, kind);
}

void control_free(struct control *c)
{
    msa_free(c->m, c->zone);
    c->zone = NULL;
}

/* Into the map `key` of `map`, which may not be there yet. */
static void add(struct msa *m, struct control *c, value *map, const char *key, const char *name,
                value v)
{
    const value *found = value_get(map, key);
    value all = found ? *found : value_map();
    value_set(m, c->zone, &all, name, v);
    value_set(m, c->zone, map, key, all);
}

void control_add_state(struct msa *m, struct control *c, int position, value state)
{
    char name[80];
    snprintf(name, sizeof name, "%d:%s", position, m->program);
    add(m, c, &c->map, "state", name, state);
}

void control_add_own(struct msa *m, struct control *c, value *state, const char *name, value own)
{
    add(m, c, state, "own", name, own);
}
