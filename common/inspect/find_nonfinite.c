/* The first frame that went wrong. */
#include "common/inspect/find_nonfinite.h"
#include "common/inspect/show.h"
#include "common/run/option.h"
#include "common/run/utf8.h"
#include <math.h>
#include <string.h>

/* ---- Records and gradients ---- */

/* Leaves what was asked for alone. */
static void choose(const struct where *w, struct record *r)
{
    for (int i = r->count; i-- > 0;)
        if (!option_names(w->tensors, r->tensors[i].name))
            record_remove(r, r->tensors[i].name);
    value_remove(&r->map, "loss");
    value_remove(&r->map, "weight");
}

/* A record or gradient, and the record that tells its samples; false: the frame is neither. */
static bool view(struct where *w, const struct frame *f, bool back, struct record *r,
                 const struct record **of)
{
    if (f->kind != FRAME_DATA && f->kind != FRAME_GRADIENT)
        return false;
    record_view(w->m, r, f);
    if (!back)
        record_remember(w->m, &w->asked, r);
    *of = back ? &w->asked : r;
    return true;
}

static bool in_record(struct where *w, struct record *r, const struct record *of,
                      char line[NONFINITE_TEXT])
{
    struct nonfinite found;
    if (w->tensors)
        choose(w, r);
    if (!record_nonfinite(r, &found))
        return false;
    nonfinite_text(&found, r, of, "", line);
    return true;
}

/* ---- All other frames ---- */

/* The keys that lead to a number, "state.4:a.x[2]", and what it is. */
struct trail {
    char path[VALUE_PATH];
    bool scores; /* the frame is M */
    double number;
    char place[128]; /* "[2,17]": of an element of a tensor; else "" */
};

/* A score that is NaN is not defined, as a correlation with a constant, and nothing went wrong. */
static bool is_wrong(const struct trail *t, double number)
{
    bool score = t->scores && strncmp(t->path, "metrics.", strlen("metrics.")) == 0;
    return isinf(number) || (isnan(number) && !score);
}

static bool in_value(struct trail *t, const value *v);

static bool in_tensor(struct trail *t, const struct tensor *tensor)
{
    size_t at = tensor_nonfinite(tensor);
    if (at == tensor->count)
        return false;
    t->number = tensor_value(tensor, at);
    if (tensor->rank)
        tensor_place_text(t->place, tensor, at);
    return true;
}

static bool in_map(struct trail *t, const value *map)
{
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        size_t length = value_path_add(t->path, &map->via.map.ptr[i].key);
        if (in_value(t, &map->via.map.ptr[i].val))
            return true;
        t->path[length] = '\0';
    }
    return false;
}

static bool in_array(struct trail *t, const value *array)
{
    size_t length = strlen(t->path);
    for (uint32_t i = 0; i < array->via.array.size; i++) {
        snprintf(t->path + length, sizeof t->path - length, "[%u]", i);
        if (in_value(t, &array->via.array.ptr[i]))
            return true;
    }
    t->path[length] = '\0';
    return false;
}

static bool in_value(struct trail *t, const value *v)
{
    struct tensor tensor;
    switch (v->type) {
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        t->number = v->via.f64;
        return is_wrong(t, v->via.f64);
    case MSGPACK_OBJECT_MAP:
        return show_is_tensor(v, &tensor) ? in_tensor(t, &tensor) : in_map(t, v);
    case MSGPACK_OBJECT_ARRAY:
        return in_array(t, v);
    default:
        return false;
    }
}

static bool in_frame(const struct where *w, const struct frame *f, char line[NONFINITE_TEXT])
{
    struct trail t = {.scores = f->kind == FRAME_METRICS};
    if (w->tensors || !in_map(&t, f->map))
        return false;
    snprintf(line, NONFINITE_TEXT, "'%.512s' with %s%s%s", t.path, nonfinite_called(t.number),
             t.place[0] ? " at " : "", t.place);
    return true;
}

/* ---- Either ---- */

bool where_nonfinite(struct where *w, FILE *to, const struct frame *f, bool back)
{
    struct record r;
    const struct record *of;
    char line[NONFINITE_TEXT];
    bool record = view(w, f, back, &r, &of);
    if (record ? !in_record(w, &r, of, line) : !in_frame(w, f, line))
        return false;
    fprintf(to, "%sframe %u (%c): ", back ? "back " : "", f->seq, f->kind);
    utf8_print(to, line, strlen(line));
    fputc('\n', to);
    return true;
}

void where_check(struct where *w, const struct frame *f, bool back)
{
    struct record r;
    const struct record *of;
    if (w->m->common.check_finite && view(w, f, back, &r, &of))
        record_check_finite(&r, of, false);
}
