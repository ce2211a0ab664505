/* Tensors as msgpack-numpy writes them, in a body and as a value.
 *
 * The map {nd: true, type, kind, shape, pad, data} has bin keys; pad is ours and ignored by
 * msgpack-numpy: as many zeros as put the payload on a 64-byte boundary of the body, so that
 * whoever holds the body aligned computes on it in place. */
#include "common/stream/tensor_codec.h"
#include "common/run/utf8.h"
#include "common/stream/body.h"

#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static const uint8_t zeros[ALIGNMENT];

static void pack_bin(struct body *b, const void *bytes, size_t size)
{
    msgpack_pack_bin(&b->packer, size);
    msgpack_pack_bin_body(&b->packer, bytes, size);
}

static size_t payload_size(struct msa *m, const struct tensor *t)
{
    size_t bytes;
    if (__builtin_mul_overflow(t->count, dtype_size(t->dtype), &bytes) || bytes > UINT32_MAX)
        msa_fail(m, MSA_FAILED, "tensor '%s': %zu elements of %s are too many for a frame", t->name,
                 t->count, dtype_names[t->dtype]);
    return bytes;
}

void body_tensor(struct body *b, const struct tensor *t)
{
    size_t bytes = payload_size(b->m, t);
    body_map(b, 6);
    pack_bin(b, "nd", 2);
    body_bool(b, true);
    pack_bin(b, "type", 4);
    body_str(b, dtype_names[t->dtype]);
    pack_bin(b, "kind", 4);
    pack_bin(b, "", 0);
    pack_bin(b, "shape", 5);
    body_array(b, (size_t)t->rank);
    for (int i = 0; i < t->rank; i++)
        msgpack_pack_uint64(&b->packer, t->shape[i]);
    pack_bin(b, "pad", 3);
    size_t head = bytes <= UINT8_MAX ? 2 : bytes <= UINT16_MAX ? 3 : 5;
    size_t data_at = b->length + strlen("\xc4?") + strlen("\xc4?data") + head;
    pack_bin(b, zeros, -data_at % ALIGNMENT);
    pack_bin(b, "data", 4);
    msgpack_pack_bin(&b->packer, bytes);
    body_reference(b, t->data, bytes);
}

/* ---- Reading ---- */

/* The five keys of a tensor. */
struct parts {
    const value *nd, *type, *kind, *shape, *data;
};

static void find_parts(const value *v, struct parts *p)
{
    const struct {
        const char *key;
        const value **to;
    } known[] = {{"nd", &p->nd},
                 {"type", &p->type},
                 {"kind", &p->kind},
                 {"shape", &p->shape},
                 {"data", &p->data}};
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        const msgpack_object_kv *pair = &v->via.map.ptr[i];
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (pair->key.type == MSGPACK_OBJECT_BIN &&
                pair->key.via.bin.size == strlen(known[k].key) &&
                memcmp(pair->key.via.bin.ptr, known[k].key, pair->key.via.bin.size) == 0)
                *known[k].to = &pair->val;
    }
}

static bool is_text(const value *v)
{
    return v->type == MSGPACK_OBJECT_STR || v->type == MSGPACK_OBJECT_BIN;
}

static bool is_word(const value *v, const char *word)
{
    return is_text(v) && v->via.str.size == strlen(word) &&
           memcmp(v->via.str.ptr, word, v->via.str.size) == 0;
}

static const char *check_dtype(const struct parts *p, struct tensor *t, char text[256])
{
    if (is_word(p->kind, "O") || is_word(p->type, "|O"))
        return "Python objects (dtype O) are not read";
    if (!is_word(p->kind, ""))
        return "structured dtypes are not read";
    int dtype = is_text(p->type) ? dtype_find(p->type->via.str.ptr, p->type->via.str.size) : -1;
    if (dtype < 0) {
        char type[32] = "";
        if (is_text(p->type))
            snprintf(type, sizeof type, "%.*s", (int)p->type->via.str.size, p->type->via.str.ptr);
        utf8_clean(type, strlen(type));
        size_t at = (size_t)snprintf(text, 256, "dtype '%s' but expected one of", type);
        for (int i = 0; i < DTYPES; i++)
            at += (size_t)snprintf(text + at, 256 - at, " %s", dtype_names[i]);
        return text;
    }
    t->dtype = (enum dtype)dtype;
    return NULL;
}

/* Bounds the product of the dimensions that are not 0, so that no part of a
 * shape overflows either. */
static const char *check_shape(const value *shape, struct tensor *t, char text[256])
{
    if (shape->via.array.size > TENSOR_RANK) {
        snprintf(text, 256, "rank %u but at most %d is allowed", shape->via.array.size,
                 TENSOR_RANK);
        return text;
    }
    t->rank = (int)shape->via.array.size;
    t->count = 1;
    uint64_t product = 1;
    for (int i = 0; i < t->rank; i++) {
        const value *item = &shape->via.array.ptr[i];
        if (item->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return "a dimension that is no whole number from 0";
        t->shape[i] = item->via.u64;
        t->count *= t->shape[i];
        if (__builtin_mul_overflow(product, item->via.u64 ? item->via.u64 : 1, &product) ||
            product > UINT32_MAX)
            return "a shape of more elements than a frame can hold";
    }
    return NULL;
}

static const char *check_payload(const value *data, struct tensor *t, char text[256])
{
    size_t bytes = t->count * dtype_size(t->dtype);
    if (data->via.bin.size != bytes) {
        char shape[128];
        snprintf(text, 256, "%u bytes but shape %s of %s is %zu", data->via.bin.size,
                 tensor_shape_text(shape, t->rank, t->shape), dtype_names[t->dtype], bytes);
        return text;
    }
    t->data = data->via.bin.ptr;
    return NULL;
}

const char *value_tensor(const value *v, const char *name, size_t name_length, struct tensor *t,
                         char text[256])
{
    if (name_length == 0 || name_length > TENSOR_NAME) {
        snprintf(text, 256, "a name of %zu bytes but expected 1 to %d", name_length, TENSOR_NAME);
        return text;
    }
    if (v->type != MSGPACK_OBJECT_MAP)
        return "not a tensor (a map with bin keys nd, type, kind, shape, data)";
    struct parts p = {0};
    find_parts(v, &p);
    if (!p.nd || !p.type || !p.kind || !p.shape || !p.data)
        return "not a tensor: one of the bin keys nd, type, kind, shape, data is missing";
    if (p.nd->type != MSGPACK_OBJECT_BOOLEAN || !p.nd->via.boolean)
        return "not an array: 'nd' is not true";
    *t = (struct tensor){0};
    memcpy(t->name, name, name_length);
    const char *wrong = check_dtype(&p, t, text);
    if (!wrong && p.shape->type != MSGPACK_OBJECT_ARRAY)
        wrong = "'shape' is not an array";
    if (!wrong && p.data->type != MSGPACK_OBJECT_BIN)
        wrong = "'data' is not a bin";
    if (!wrong)
        wrong = check_shape(p.shape, t, text);
    return wrong ? wrong : check_payload(p.data, t, text);
}

/* ---- As a value ---- */

static value bin(const void *bytes, size_t size)
{
    return (value){.type = MSGPACK_OBJECT_BIN, .via.bin = {.size = (uint32_t)size, .ptr = bytes}};
}

value value_of_tensor(struct msa *m, msgpack_zone *zone, const struct tensor *t)
{
    size_t bytes = payload_size(m, t);
    value shape = value_nils(m, zone, (size_t)t->rank);
    for (int i = 0; i < t->rank; i++)
        shape.via.array.ptr[i] = value_of_int((int64_t)t->shape[i]);
    const msgpack_object_kv pairs[] = {{bin("nd", 2), value_of_bool(true)},
                                       {bin("type", 4), value_str(m, zone, dtype_names[t->dtype])},
                                       {bin("kind", 4), bin("", 0)},
                                       {bin("shape", 5), shape},
                                       {bin("data", 4), bin(t->data, bytes)}};
    msgpack_object_kv *copy = msgpack_zone_malloc(zone, sizeof pairs);
    if (!copy)
        msa_fail(m, MSA_FAILED, "out of memory: %zu bytes", sizeof pairs);
    memcpy(copy, pairs, sizeof pairs);
    return (value){.type = MSGPACK_OBJECT_MAP,
                   .via.map = {.size = sizeof pairs / sizeof *pairs, .ptr = copy}};
}

value value_of_floats(struct msa *m, msgpack_zone *zone, const char *name, const float *numbers,
                      size_t count)
{
    struct tensor t = tensor_of(name, F4, numbers, 1, &count);
    return value_of_tensor(m, zone, &t);
}
