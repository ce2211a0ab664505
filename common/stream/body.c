/* Packing a body, value by value. */
#include "common/stream/body.h"
#include "common/run/utf8.h"
#include "common/stream/tensor_codec.h"

#include <string.h>

enum { COPIED = 256 }; /* a bin up to this long is copied, not referenced */

void body_reference(struct body *b, const void *bytes, size_t size)
{
    if (size <= COPIED) {
        msgpack_pack_bin_body(&b->packer, bytes, size);
        return;
    }
    if (msgpack_vrefbuffer_append_ref(&b->buffer, bytes, size) < 0)
        msa_fail(b->m, MSA_FAILED, "out of memory");
    b->length += size;
}

void body_map(struct body *b, size_t pairs)
{
    if (pairs > BODY_PAIRS)
        msa_fail(b->m, MSA_FAILED,
                 "a map of %zu pairs, with those of this program, but at most %d fit", pairs,
                 BODY_PAIRS);
    msgpack_pack_map(&b->packer, pairs);
}

void body_array(struct body *b, size_t items)
{
    msgpack_pack_array(&b->packer, items);
}

void body_str(struct body *b, const char *text)
{
    size_t length = strlen(text);
    msgpack_pack_str(&b->packer, length);
    if (utf8_valid(text, length)) {
        msgpack_pack_str_body(&b->packer, text, length);
        return;
    }
    char *clean = msa_strndup(b->m, text, length);
    utf8_clean(clean, length);
    msgpack_pack_str_body(&b->packer, clean, length);
    msa_free(b->m, clean);
}

void body_int(struct body *b, int64_t i)
{
    msgpack_pack_int64(&b->packer, i);
}

void body_real(struct body *b, double d)
{
    msgpack_pack_double(&b->packer, d);
}

void body_bool(struct body *b, bool v)
{
    if (v)
        msgpack_pack_true(&b->packer);
    else
        msgpack_pack_false(&b->packer);
}

static void pack_map(struct body *b, const value *v)
{
    struct tensor t;
    char text[256];
    if (v->via.map.size >= 5 && v->via.map.ptr[0].key.type == MSGPACK_OBJECT_BIN &&
        !value_tensor(v, "-", 1, &t, text)) {
        body_tensor(b, &t);
        return;
    }
    body_map(b, v->via.map.size);
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        body_value(b, &v->via.map.ptr[i].key);
        body_value(b, &v->via.map.ptr[i].val);
    }
}

void body_value(struct body *b, const value *v)
{
    switch (v->type) {
    case MSGPACK_OBJECT_MAP:
        pack_map(b, v);
        break;
    case MSGPACK_OBJECT_ARRAY:
        body_array(b, v->via.array.size);
        for (uint32_t i = 0; i < v->via.array.size; i++)
            body_value(b, &v->via.array.ptr[i]);
        break;
    case MSGPACK_OBJECT_BIN:
        msgpack_pack_bin(&b->packer, v->via.bin.size);
        body_reference(b, v->via.bin.ptr, v->via.bin.size);
        break;
    default:
        msgpack_pack_object(&b->packer, *v);
        break;
    }
}

static bool is_known(const value *key, const char *const *known)
{
    while (*known && !value_equals(key, *known))
        known++;
    return *known;
}

size_t value_others(const value *map, const char *const *known)
{
    size_t count = 0;
    for (uint32_t i = 0; i < map->via.map.size; i++)
        count += !is_known(&map->via.map.ptr[i].key, known);
    return count;
}

void body_others(struct body *b, const value *map, const char *const *known)
{
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *pair = &map->via.map.ptr[i];
        if (is_known(&pair->key, known))
            continue;
        body_value(b, &pair->key);
        body_value(b, &pair->val);
    }
}
