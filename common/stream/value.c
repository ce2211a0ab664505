/* Looking into values and making new ones. */
#include "common/stream/value.h"
#include "common/run/utf8.h"

#include <string.h>

static bool key_is(const value *v, const char *text, size_t length)
{
    return v->type == MSGPACK_OBJECT_STR && v->via.str.size == length &&
           memcmp(v->via.str.ptr, text, length) == 0;
}

/* The place of a key in a map, its size when it is not there. */
static uint32_t find(const value *map, const char *key)
{
    size_t length = strlen(key);
    uint32_t i = 0;
    while (i < map->via.map.size && !key_is(&map->via.map.ptr[i].key, key, length))
        i++;
    return i;
}

const value *value_get(const value *map, const char *key)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    uint32_t i = find(map, key);
    return i < map->via.map.size ? &map->via.map.ptr[i].val : NULL;
}

const char *value_text(msgpack_zone *zone, const value *map, const char *key)
{
    const value *v = value_get(map, key);
    if (!v || v->type != MSGPACK_OBJECT_STR)
        return NULL;
    char *text = msgpack_zone_malloc_no_align(zone, v->via.str.size + 1);
    if (text) {
        memcpy(text, v->via.str.ptr, v->via.str.size);
        text[v->via.str.size] = '\0';
    }
    return text;
}

const char *value_key(const value *map, uint32_t i, char key[BODY_KEY + 1])
{
    const msgpack_object_str *text = &map->via.map.ptr[i].key.via.str;
    size_t size = text->size < BODY_KEY ? text->size : BODY_KEY;
    memcpy(key, text->ptr, size);
    key[size] = '\0';
    return key;
}

int value_depth(const value *v)
{
    bool map = v->type == MSGPACK_OBJECT_MAP, array = v->type == MSGPACK_OBJECT_ARRAY;
    uint32_t size = map ? v->via.map.size : array ? v->via.array.size : 0;
    int most = 0;
    for (uint32_t i = 0; i < size; i++) {
        int depth = value_depth(map ? &v->via.map.ptr[i].val : &v->via.array.ptr[i]);
        most = depth > most ? depth : most;
    }
    return most + (map || array);
}

bool value_equals(const value *v, const char *text)
{
    return v && key_is(v, text, strlen(text));
}

size_t value_path_add(char path[VALUE_PATH], const value *key)
{
    size_t length = strlen(path);
    snprintf(path + length, VALUE_PATH - length, "%s%.*s", length ? "." : "",
             (int)key->via.str.size, key->via.str.ptr);
    return length;
}

int64_t value_int(const value *map, const char *key, int64_t otherwise)
{
    const value *v = value_get(map, key);
    if (v && v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return v->via.i64;
    if (v && v->type == MSGPACK_OBJECT_POSITIVE_INTEGER && v->via.u64 <= INT64_MAX)
        return (int64_t)v->via.u64;
    return otherwise;
}

double value_real(const value *map, const char *key, double otherwise)
{
    const value *v = value_get(map, key);
    if (!v)
        return otherwise;
    switch (v->type) {
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return v->via.f64;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return (double)v->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return (double)v->via.i64;
    default:
        return otherwise;
    }
}

bool value_bool(const value *map, const char *key, bool otherwise)
{
    const value *v = value_get(map, key);
    return v && v->type == MSGPACK_OBJECT_BOOLEAN ? v->via.boolean : otherwise;
}

/* ---- Making ---- */

static void zone_destroy(void *zone)
{
    msgpack_zone_destroy(zone);
}

msgpack_zone *value_zone(struct msa *m)
{
    msgpack_zone *zone = msa_alloc(m, sizeof *zone);
    if (!msgpack_zone_init(zone, MSGPACK_ZONE_CHUNK_SIZE))
        msa_fail(m, MSA_FAILED, "out of memory");
    msa_at_free(zone, zone_destroy);
    return zone;
}

static void *zone_take(struct msa *m, msgpack_zone *zone, size_t count, size_t size)
{
    size_t bytes;
    void *memory = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes))
        memory = msgpack_zone_malloc(zone, bytes ? bytes : 1);
    if (!memory)
        msa_fail(m, MSA_FAILED, "out of memory: %zu times %zu bytes", count, size);
    return memory;
}

static value text_value(struct msa *m, msgpack_zone *zone, const char *text, size_t length)
{
    char *copy = zone_take(m, zone, length, 1);
    memcpy(copy, text, length);
    return (value){.type = MSGPACK_OBJECT_STR, .via.str = {.size = (uint32_t)length, .ptr = copy}};
}

value value_str(struct msa *m, msgpack_zone *zone, const char *text)
{
    value v = text_value(m, zone, text, strlen(text));
    utf8_clean((char *)v.via.str.ptr, v.via.str.size);
    return v;
}

value value_of_int(int64_t i)
{
    if (i < 0)
        return (value){.type = MSGPACK_OBJECT_NEGATIVE_INTEGER, .via.i64 = i};
    return (value){.type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = (uint64_t)i};
}

value value_of_real(double d)
{
    return (value){.type = MSGPACK_OBJECT_FLOAT64, .via.f64 = d};
}

value value_of_bool(bool b)
{
    return (value){.type = MSGPACK_OBJECT_BOOLEAN, .via.boolean = b};
}

value value_map(void)
{
    return (value){.type = MSGPACK_OBJECT_MAP, .via.map = {0}};
}

value value_array(void)
{
    return (value){.type = MSGPACK_OBJECT_ARRAY, .via.array = {0}};
}

value value_nils(struct msa *m, msgpack_zone *zone, size_t items)
{
    if (items > UINT32_MAX)
        msa_fail(m, MSA_FAILED, "an array of %zu items", items);
    value *ptr = zone_take(m, zone, items, sizeof *ptr);
    for (size_t i = 0; i < items; i++)
        ptr[i] = (value){.type = MSGPACK_OBJECT_NIL};
    return (value){.type = MSGPACK_OBJECT_ARRAY,
                   .via.array = {.size = (uint32_t)items, .ptr = ptr}};
}

void value_set(struct msa *m, msgpack_zone *zone, value *map, const char *key, value v)
{
    uint32_t size = map->via.map.size, at = find(map, key);
    uint32_t fresh_size = at == size ? size + 1 : size;
    msgpack_object_kv *fresh = zone_take(m, zone, fresh_size, sizeof *fresh);
    if (size)
        memcpy(fresh, map->via.map.ptr, size * sizeof *fresh);
    if (at == size)
        fresh[at].key = value_str(m, zone, key);
    fresh[at].val = v;
    map->via.map = (msgpack_object_map){.size = fresh_size, .ptr = fresh};
}

void value_remove(value *map, const char *key)
{
    msgpack_object_map *pairs = &map->via.map;
    uint32_t at = find(map, key);
    if (at == pairs->size)
        return;
    pairs->size--;
    memmove(&pairs->ptr[at], &pairs->ptr[at + 1], (pairs->size - at) * sizeof *pairs->ptr);
}

value value_same_pairs(struct msa *m, msgpack_zone *zone, const value *map)
{
    value same = *map;
    same.via.map.ptr = zone_take(m, zone, map->via.map.size, sizeof *same.via.map.ptr);
    memcpy(same.via.map.ptr, map->via.map.ptr, map->via.map.size * sizeof *same.via.map.ptr);
    return same;
}

void value_push(struct msa *m, msgpack_zone *zone, value *array, value v)
{
    uint32_t size = array->via.array.size;
    value fresh = value_nils(m, zone, (size_t)size + 1);
    if (size)
        memcpy(fresh.via.array.ptr, array->via.array.ptr, size * sizeof v);
    fresh.via.array.ptr[size] = v;
    *array = fresh;
}

static value copy_map(struct msa *m, msgpack_zone *zone, const value *v)
{
    uint32_t size = v->via.map.size;
    msgpack_object_kv *fresh = zone_take(m, zone, size, sizeof *fresh);
    for (uint32_t i = 0; i < size; i++) {
        fresh[i].key = value_copy(m, zone, &v->via.map.ptr[i].key);
        fresh[i].val = value_copy(m, zone, &v->via.map.ptr[i].val);
    }
    return (value){.type = v->type, .via.map = {.size = size, .ptr = fresh}};
}

value value_copy(struct msa *m, msgpack_zone *zone, const value *v)
{
    value copy = *v;
    switch (v->type) {
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        copy = text_value(m, zone, v->via.str.ptr, v->via.str.size);
        copy.type = v->type;
        break;
    case MSGPACK_OBJECT_ARRAY:
        copy = value_nils(m, zone, v->via.array.size);
        for (uint32_t i = 0; i < v->via.array.size; i++)
            copy.via.array.ptr[i] = value_copy(m, zone, &v->via.array.ptr[i]);
        break;
    case MSGPACK_OBJECT_MAP:
        copy = copy_map(m, zone, v);
        break;
    default:
        break;
    }
    return copy;
}
