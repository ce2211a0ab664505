/* JSON values, owned and as text. */
#include "common/run/json.h"
#include "common/run/line_reader.h"
#include "common/run/mapping.h"
#include "common/run/utf8.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static void release(void *memory)
{
    json_decref(*(json_t **)memory);
}

json_t **json_holder(struct msa *m)
{
    json_t **holder = msa_alloc(m, sizeof *holder);
    msa_at_free(holder, release);
    return holder;
}

/* ---- Reading ----
 *
 * Where jansson finds no memory for a byte of a string it goes on without it, and then reads and
 * writes beyond the string if that was its end. So its allocator does not fail but ends the run,
 * out of the middle of jansson, and all that it has taken is the run's, in chunks. The allocator is
 * not told whose call it is, hence the variable. */

enum { CHUNK = 1 << 16 };

struct json_chunk {
    struct json_chunk *before;
    _Alignas(max_align_t) uint8_t bytes[];
};

static _Thread_local struct {
    struct msa *m;
    struct json_chunk *chunks;
    uint8_t *at;
    size_t left;
} reading;

static void add_chunk(size_t bytes)
{
    struct json_chunk *chunk = msa_alloc(reading.m, sizeof *chunk + bytes);
    chunk->before = reading.chunks;
    reading.chunks = chunk;
    reading.at = chunk->bytes;
    reading.left = bytes;
}

static void *take(size_t bytes)
{
    bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (bytes > reading.left)
        add_chunk(bytes > CHUNK ? bytes : CHUNK);
    uint8_t *memory = reading.at;
    reading.at += bytes;
    reading.left -= bytes;
    return memory;
}

static void keep(void *memory)
{
    (void)memory;
}

static void stop(void *memory)
{
    (void)memory;
    json_set_alloc_funcs(malloc, free);
}

struct json json_read(struct msa *m, const char *text, size_t length)
{
    struct json json;
    void *guard = msa_alloc(m, 1);
    msa_at_free(guard, stop); /* also if the run ends in between */
    reading.m = m;
    reading.chunks = NULL;
    reading.left = 0;
    json_set_alloc_funcs(take, keep);
    json.value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &json.error);
    json.memory = reading.chunks;
    msa_free(m, guard);
    return json;
}

enum { OBJECT_MAX = 1 << 20 };

struct json json_read_object(struct msa *m, const char *from, const char *text, size_t length)
{
    struct json json = {0};
    if (length <= OBJECT_MAX)
        json = json_read(m, text, length);
    if (!json_is_object(json.value))
        msa_fail(m, MSA_CORRUPT, "%s: no JSON object of at most 1 MiB", from);
    return json;
}

struct json json_read_file(struct msa *m, const char *path)
{
    struct mapping map = mapping_of(m, path);
    size_t length = map.size < OBJECT_MAX + 1 ? map.size : OBJECT_MAX + 1;
    char *text = msa_alloc(m, length + 1);
    if (length)
        memcpy(text, map.bytes, length);
    mapping_close(m, map);
    size_t mark = lines_mark(m, path, text, length);
    struct json json = json_read_object(m, path, text + mark, length - mark);
    msa_free(m, text);
    return json;
}

void json_free(struct msa *m, struct json *json)
{
    for (struct json_chunk *chunk = json->memory, *before; chunk; chunk = before) {
        before = chunk->before;
        msa_free(m, chunk);
    }
    *json = (struct json){0};
}

/* ---- Writing ---- */

static int print_piece(const char *text, size_t length, void *to)
{
    utf8_print_escaped(to, text, length);
    return ferror(to) ? -1 : 0;
}

/* Jansson gives pieces of whole characters. */
bool json_print(const json_t *value, FILE *to, size_t flags)
{
    return json_dump_callback(value, print_piece, to, flags) == 0;
}

/* Into memory of its full size: json_dumps, which grows its own, drops what it finds no memory
 * for. */
char *json_text(struct msa *m, const json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = msa_alloc(m, size + 1);
    if (!size || json_dumpb(value, text, size, JSON_COMPACT | JSON_ENCODE_ANY) != size)
        msa_fail(m, MSA_FAILED, "out of memory for JSON");
    return text;
}
