/* The file of a pickle, the memory of its values, and looking into them. */
#include "common/formats/pickle/machine.h"
#include "common/run/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 16, CHUNK_HEAD = 64 };

/* A piece of memory; values are cut from the newest one. */
struct pickle_chunk {
    struct pickle_chunk *next;
};

/* ---- Errors ---- */

_Noreturn void pickle_fail(const struct pickle_machine *m, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    msa_fail(m->pickle.m, MSA_CORRUPT, "%s: byte %zu: %s", m->pickle.path, m->offset, line);
}

const char *pickle_printable(char text[64], const uint8_t *bytes, size_t length)
{
    size_t n = length < 64 ? length : 63;
    memcpy(text, bytes, n);
    text[n] = '\0';
    utf8_clean(text, n); /* of zeros, which would end it */
    utf8_show(text);
    return text;
}

/* ---- Memory ---- */

void *pickle_take_free(struct pickle_machine *m, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > m->chunk_size - m->chunk_used) {
        size_t size = CHUNK_HEAD + (bytes > CHUNK ? bytes : CHUNK);
        struct pickle_chunk *chunk = msa_alloc(m->pickle.m, size);
        chunk->next = m->chunks;
        m->chunks = chunk;
        m->chunk_size = size;
        m->chunk_used = CHUNK_HEAD;
    }
    void *taken = (uint8_t *)m->chunks + m->chunk_used;
    m->chunk_used += bytes;
    return taken;
}

void *pickle_take(struct pickle_machine *m, size_t bytes)
{
    if (bytes > PICKLE_MEMORY - m->memory)
        pickle_fail(m, "its values need more than %d MiB", PICKLE_MEMORY >> 20);
    m->memory += bytes;
    return pickle_take_free(m, bytes);
}

static void *take_value(struct pickle_machine *m, size_t bytes, enum pickle_kind kind)
{
    if (m->value_count++ == PICKLE_VALUES)
        pickle_fail(m, "more than %d values", PICKLE_VALUES);
    struct pickle_value *v = pickle_take(m, bytes);
    v->kind = kind;
    return v;
}

struct pickle_value *pickle_new(struct pickle_machine *m, enum pickle_kind kind)
{
    return take_value(m, sizeof(struct pickle_value), kind);
}

struct pickle_other *pickle_new_other(struct pickle_machine *m, int what)
{
    struct pickle_other *other = take_value(m, sizeof *other, PICKLE_OTHER);
    other->what = what;
    return other;
}

/* Room for items follows from their number alone: the next power of two. */
static size_t room_for(size_t items)
{
    size_t room = items != 0;
    while (room < items)
        room *= 2;
    return room;
}

void pickle_append(struct pickle_machine *m, struct pickle_value *to,
                   struct pickle_value *const *items, size_t n)
{
    size_t per_length = to->kind == PICKLE_DICT ? 2 : 1, used = to->length * per_length;
    if (n % per_length)
        pickle_fail(m, "a key of a dict has no value");
    if (n == 0)
        return;
    if (used + n > room_for(used)) {
        struct pickle_value **more = pickle_take(m, room_for(used + n) * sizeof *more);
        if (used)
            memcpy(more, to->items, used * sizeof *more);
        to->items = more;
    }
    memcpy(to->items + used, items, n * sizeof *items);
    to->length += n / per_length;
}

/* ---- The file ---- */

static void unmap(void *machine)
{
    file_unmap(((struct pickle_machine *)machine)->pickle.map);
}

struct pickle *pickle_open(struct msa *m, const char *path)
{
    struct pickle_machine *machine = msa_alloc(m, sizeof *machine);
    struct pickle *p = &machine->pickle;
    msa_at_free(machine, unmap);
    p->m = m;
    p->path = path;
    p->map = file_map(m, path);
    if (p->map.size == 0)
        msa_fail(m, MSA_CORRUPT, "%s: the file is empty", path);
    machine->at = p->map.bytes;
    machine->end = p->map.bytes + p->map.size;
    p->root = pickle_run(machine);
    return p;
}

void pickle_close(struct pickle *p)
{
    struct pickle_machine *machine = (struct pickle_machine *)p;
    for (struct pickle_chunk *chunk = machine->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        msa_free(p->m, chunk);
    }
    msa_free(p->m, machine);
}

/* ---- Looking ---- */

const char *pickle_kind_name(enum pickle_kind kind)
{
    static const char *const names[PICKLE_KINDS] = {
        [PICKLE_NONE] = "None",   [PICKLE_BOOL] = "bool", [PICKLE_INT] = "int",
        [PICKLE_REAL] = "float",  [PICKLE_TEXT] = "str",  [PICKLE_BYTES] = "bytes",
        [PICKLE_LIST] = "list",   [PICKLE_DICT] = "dict", [PICKLE_ARRAY] = "ndarray",
        [PICKLE_OTHER] = "object"};
    return names[kind];
}

double pickle_real(const struct pickle_value *v)
{
    if (v->kind == PICKLE_REAL)
        return v->real;
    return v->above ? (double)(uint64_t)v->integer : (double)v->integer;
}

/* Python 2 writes its str as bytes. */
static bool is_text(const struct pickle_value *v, const char *text, size_t length)
{
    return (v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES) && v->length == length &&
           memcmp(v->bytes, text, length) == 0;
}

const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    size_t length = strlen(key);
    for (size_t i = dict->length; i-- > 0;) /* as in Python, the last of equal keys counts */
        if (is_text(dict->items[2 * i], key, length))
            return dict->items[2 * i + 1];
    return NULL;
}
