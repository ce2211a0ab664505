/* Frames as JSON objects, one a line. */
#include "common/inspect/show.h"
#include "common/run/json.h"
#include "common/stream/stats.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* An object being made; memory may run out on the way, which is told in the end. */
struct build {
    bool failed;
    bool large; /* has a number that large() has made */
};

static void put(struct build *b, json_t *object, const char *key, size_t length, json_t *v)
{
    b->failed |= json_object_setn_new(object, key, length, v) != 0;
}

static void set(struct build *b, json_t *object, const char *key, json_t *v)
{
    put(b, object, key, strlen(key), v);
}

static void push(struct build *b, json_t *array, json_t *v)
{
    b->failed |= json_array_append_new(array, v) != 0;
}

/* JSON has no NaN. */
static json_t *number(double d)
{
    return isfinite(d) ? json_real(d) : json_null();
}

/* Jansson has no integer above INT64_MAX: digits behind a byte that is in no text of UTF-8. */
static const char large_mark = '\xff';

static json_t *large(struct build *b, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%c%" PRIu64, large_mark, number);
    b->large = true;
    return json_string_nocheck(digits);
}

static json_t *shape_of(struct build *b, const struct tensor *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        push(b, shape, json_integer((json_int_t)t->shape[i]));
    return shape;
}

/* ---- Values ---- */

static json_t *of_value(struct build *b, const value *v);

static json_t *of_map(struct build *b, const value *v)
{
    json_t *object = json_object();
    struct tensor t;
    if (show_is_tensor(v, &t)) {
        set(b, object, "dtype", json_string(dtype_names[t.dtype]));
        set(b, object, "shape", shape_of(b, &t));
        return object;
    }
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        const msgpack_object_kv *pair = &v->via.map.ptr[i];
        put(b, object, pair->key.via.str.ptr, pair->key.via.str.size, of_value(b, &pair->val));
    }
    return object;
}

static json_t *of_array(struct build *b, const value *v)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < v->via.array.size; i++)
        push(b, array, of_value(b, &v->via.array.ptr[i]));
    return array;
}

/* A bin is the number of its bytes. */
static json_t *of_value(struct build *b, const value *v)
{
    switch (v->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(v->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return v->via.u64 <= INT64_MAX ? json_integer((json_int_t)v->via.u64)
                                       : large(b, v->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(v->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return number(v->via.f64);
    case MSGPACK_OBJECT_STR:
        return json_stringn(v->via.str.ptr, v->via.str.size);
    case MSGPACK_OBJECT_BIN:
        return json_integer(v->via.bin.size);
    case MSGPACK_OBJECT_ARRAY:
        return of_array(b, v);
    case MSGPACK_OBJECT_MAP:
        return of_map(b, v);
    default:
        return json_null();
    }
}

/* ---- Tensors ---- */

static json_t *element(struct build *b, const struct tensor *t, size_t i)
{
    int64_t whole;
    if (!dtype_whole(t->dtype))
        return number(tensor_value(t, i));
    return tensor_whole(t, i, &whole) ? json_integer(whole) : large(b, (uint64_t)whole);
}

static json_t *of_tensor(struct build *b, const struct tensor *t, bool values)
{
    struct stats n = stats_of(t);
    json_t *object = json_object(), *all = values ? json_array() : NULL;
    set(b, object, "name", json_string(t->name));
    set(b, object, "dtype", json_string(dtype_names[t->dtype]));
    set(b, object, "shape", shape_of(b, t));
    set(b, object, "min", number(n.min));
    set(b, object, "mean", number(n.mean));
    set(b, object, "max", number(n.max));
    set(b, object, "deviation", number(n.deviation));
    set(b, object, "zeros", json_integer((json_int_t)n.zeros));
    set(b, object, "non_finite", json_integer((json_int_t)n.non_finite));
    for (size_t i = 0; values && i < t->count; i++)
        push(b, all, element(b, t, i));
    if (values)
        set(b, object, "values", all);
    return object;
}

static json_t *of_tensors(struct build *b, const struct tensor *tensors, int count, bool values)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        push(b, array, of_tensor(b, &tensors[i], values));
    return array;
}

/* ---- Frames ---- */

enum { STYLE = JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY };

static bool write_any(json_t *v, FILE *to);

static bool write_object(json_t *object, FILE *to)
{
    bool first = true, well = true;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        json_t *key = json_stringn(json_object_iter_key(at), json_object_iter_key_len(at));
        fputs(first ? "{" : ", ", to);
        well = well && key && json_print(key, to, STYLE);
        json_decref(key);
        fputs(": ", to);
        well = well && write_any(json_object_iter_value(at), to);
        first = false;
    }
    fputs(first ? "{}" : "}", to);
    return well;
}

static bool write_array(json_t *array, FILE *to)
{
    bool well = true;
    fputc('[', to);
    for (size_t i = 0; i < json_array_size(array); i++) {
        fputs(i ? ", " : "", to);
        well = well && write_any(json_array_get(array, i), to);
    }
    fputc(']', to);
    return well;
}

/* As json_print writes it, and numbers that large() has made. */
static bool write_any(json_t *v, FILE *to)
{
    const char *text = json_string_value(v);
    if (json_is_object(v))
        return write_object(v, to);
    if (json_is_array(v))
        return write_array(v, to);
    if (text && text[0] == large_mark)
        return fputs(text + 1, to) >= 0;
    return json_print(v, to, STYLE);
}

static void print(const struct show *s, struct build *b, json_t *object)
{
    b->failed = b->failed || !object ||
                !(b->large ? write_any(object, s->to) : json_print(object, s->to, STYLE));
    json_decref(object);
    if (b->failed && !ferror(s->to))
        msa_fail(s->m, MSA_FAILED, "out of memory, or a frame with text that is not UTF-8");
    fputc('\n', s->to);
}

void show_json(const struct show *s, const struct frame *f, bool back)
{
    struct tensor tensors[RECORD_TENSORS];
    int count = show_tensors(s, f, tensors); /* before anything is made: it may fail the run */
    int64_t samples = show_samples(f);
    const char kind[] = {(char)f->kind, '\0'};
    struct build b = {0};
    json_t *object = json_object(), *map = of_map(&b, f->map);
    set(&b, object, "frame", json_integer(f->seq));
    set(&b, object, "kind", json_string(kind));
    if (back)
        set(&b, object, "back", json_true());
    set(&b, object, "bytes", json_integer((json_int_t)f->length));
    if (samples >= 0)
        set(&b, object, "samples", json_integer(samples));
    b.failed |= json_object_update_missing(object, map) != 0;
    json_decref(map);
    if (f->kind == FRAME_DATA || f->kind == FRAME_GRADIENT)
        set(&b, object, "tensors", of_tensors(&b, tensors, count, s->values));
    print(s, &b, object);
}

void show_pipeline_json(const struct show *s, const struct frame *f)
{
    const value *all = value_get(f->map, "pipeline");
    bool known = all && all->type == MSGPACK_OBJECT_ARRAY;
    for (uint32_t i = 0; known && i < all->via.array.size; i++) {
        struct build b = {0};
        print(s, &b, of_value(&b, &all->via.array.ptr[i]));
    }
}
