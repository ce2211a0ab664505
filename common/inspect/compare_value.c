/* Comparing tensors and values. */
#include "common/inspect/compare_internal.h"
#include "common/inspect/show.h"
#include "common/run/text.h"
#include "common/run/utf8.h"
#include "common/stream/stats.h"
#include <string.h>

/* ---- Tensors ---- */

static const char *tensor_text(char text[PLACE_TEXT], const struct tensor *t)
{
    char shape[128];
    if (t)
        snprintf(text, PLACE_TEXT, "%s%s", dtype_names[t->dtype],
                 tensor_shape_text(shape, t->rank, t->shape));
    return t ? text : "nothing";
}

static void compare_elements(struct compare *c, struct place *p, const struct spot *at,
                             const struct tensor *a, const struct tensor *b)
{
    char first[TENSOR_NUMBER], second[TENSOR_NUMBER];
    size_t size = dtype_size(a->dtype);
    const char *x = a->data, *y = b->data;
    bool whole = dtype_whole(a->dtype);
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(x + i * size, y + i * size, size) != 0 &&
            compare_numbers(c, p, tensor_value(a, i), tensor_value(b, i), whole) &&
            place_differs(p))
            place_say(p, at, tensor_number_text(first, a, i), tensor_number_text(second, b, i), a,
                      i);
}

void compare_tensors(struct compare *c, const struct spot *at, const struct tensor *a,
                     const struct tensor *b)
{
    char first[PLACE_TEXT], second[PLACE_TEXT];
    struct place *p = compare_place(c, at);
    bool alike =
        a && b && a->dtype == b->dtype && tensor_same_shape(a->rank, a->shape, b->rank, b->shape);
    p->values += alike ? a->count : 1;
    if (alike && a->count && memcmp(a->data, b->data, a->count * dtype_size(a->dtype)) != 0)
        compare_elements(c, p, at, a, b);
    else if (!alike && place_differs(p))
        place_say(p, at, tensor_text(first, a), tensor_text(second, b), NULL, 0);
}

/* ---- Values ---- */

/* In a few words, cut short where they are long. */
static const char *value_words(char text[PLACE_TEXT], const value *v)
{
    memset(text, 0, PLACE_TEXT);
    FILE *to = v ? fmemopen(text, PLACE_TEXT - 1, "w") : NULL;
    if (!to)
        return "nothing";
    show_value(to, v);
    fclose(to);
    utf8_show(text); /* a character may have been cut */
    return text;
}

static void differ(struct place *p, const struct spot *at, const value *a, const value *b)
{
    char first[PLACE_TEXT], second[PLACE_TEXT];
    if (place_differs(p))
        place_say(p, at, value_words(first, a), value_words(second, b), NULL, 0);
}

static bool is_whole(const value *v)
{
    return v->type == MSGPACK_OBJECT_POSITIVE_INTEGER || v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

static bool is_number(const value *v)
{
    return is_whole(v) || v->type == MSGPACK_OBJECT_FLOAT32 || v->type == MSGPACK_OBJECT_FLOAT64;
}

static double number_of(const value *v)
{
    return v->type == MSGPACK_OBJECT_POSITIVE_INTEGER   ? (double)v->via.u64
           : v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ? (double)v->via.i64
                                                        : v->via.f64;
}

/* What has no values in it. */
static void compare_leaves(struct compare *c, const struct spot *at, const value *a, const value *b)
{
    struct place *p = compare_place(c, at);
    p->values++;
    if (a && b && msgpack_object_equal(*a, *b))
        return;
    bool numbers = a && b && is_number(a) && is_number(b);
    if (!numbers || compare_numbers(c, p, number_of(a), number_of(b), is_whole(a) && is_whole(b)))
        differ(p, at, a, b);
}

static const value *find(const value *map, const value *key)
{
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (msgpack_object_equal(map->via.map.ptr[i].key, *key))
            return &map->via.map.ptr[i].val;
    return NULL;
}

/* Which training it is (stream/training.h) is not compared; and where numbers are equal but for a
 * tolerance, checksums of them are not. */
static void compare_pair(struct compare *c, struct spot *at, const value *key, const value *a,
                         const value *b)
{
    size_t length = value_path_add(at->path, key);
    bool noted = at->noted;
    at->noted = noted || text_ends(at->path, "crc32");
    if (!text_ends(at->path, ".training"))
        compare_values(c, at, a, b);
    at->noted = noted;
    at->path[length] = '\0';
}

static void compare_maps(struct compare *c, struct spot *at, const value *a, const value *b)
{
    for (uint32_t i = 0; i < a->via.map.size; i++) {
        const msgpack_object_kv *pair = &a->via.map.ptr[i];
        compare_pair(c, at, &pair->key, &pair->val, find(b, &pair->key));
    }
    for (uint32_t i = 0; i < b->via.map.size; i++) {
        const msgpack_object_kv *pair = &b->via.map.ptr[i];
        if (!find(a, &pair->key))
            compare_pair(c, at, &pair->key, NULL, &pair->val);
    }
}

static void compare_arrays(struct compare *c, struct spot *at, const value *a, const value *b)
{
    uint32_t longer = a->via.array.size > b->via.array.size ? a->via.array.size : b->via.array.size;
    at->depth++;
    for (uint32_t i = 0; i < longer; i++) {
        at->index[at->depth - 1] = i;
        compare_values(c, at, i < a->via.array.size ? &a->via.array.ptr[i] : NULL,
                       i < b->via.array.size ? &b->via.array.ptr[i] : NULL);
    }
    at->depth--;
}

void compare_values(struct compare *c, struct spot *at, const value *a, const value *b)
{
    struct tensor x, y;
    bool alike = a && b && a->type == b->type;
    bool tensors = alike && show_is_tensor(a, &x) && show_is_tensor(b, &y);
    if (tensors)
        compare_tensors(c, at, &x, &y);
    else if (alike && a->type == MSGPACK_OBJECT_MAP)
        compare_maps(c, at, a, b);
    else if (alike && a->type == MSGPACK_OBJECT_ARRAY)
        compare_arrays(c, at, a, b);
    else
        compare_leaves(c, at, a, b);
}
