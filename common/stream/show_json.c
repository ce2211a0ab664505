/* Frames as JSON objects, one a line. */
#include "common/stream/show.h"
#include "common/stream/stats.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

/* An object being made; memory may run out on the way, which is told in the end. */
struct build {
    bool failed;
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
                                       : json_real((double)v->via.u64);
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

static json_t *element(const struct tensor *t, size_t i)
{
    int64_t whole;
    bool integer = dtype_whole(t->dtype) && tensor_whole(t, i, &whole);
    return integer ? json_integer(whole) : number(tensor_value(t, i));
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
        push(b, all, element(t, i));
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

static void print(const struct show *s, struct build *b, json_t *object)
{
    b->failed = b->failed || !object || json_dumpf(object, s->to, JSON_REAL_PRECISION(9)) != 0;
    json_decref(object);
    if (b->failed)
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
    json_t *object = json_object(), *map = of_map(&b, &f->map);
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
    const value *all = value_get(&f->map, "pipeline");
    bool known = all && all->type == MSGPACK_OBJECT_ARRAY;
    for (uint32_t i = 0; known && i < all->via.array.size; i++) {
        struct build b = {0};
        print(s, &b, of_value(&b, &all->via.array.ptr[i]));
    }
}
