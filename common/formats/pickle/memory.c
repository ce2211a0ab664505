/* The memory of a pickle's values. */
#include "common/formats/pickle/machine.h"

#include <string.h>

enum { CHUNK = 1 << 16, CHUNK_HEAD = 64 };

/* A piece of an arena; values are cut from the newest one. */
struct pickle_chunk {
    struct pickle_chunk *next;
    size_t before; /* what was taken of the arena before it */
    size_t size;
};

static void *take(struct pickle_machine *m, struct pickle_arena *arena, size_t bytes)
{
    struct pickle_chunk *chunk = arena->chunks;
    if (!chunk || bytes > chunk->size - (arena->taken - chunk->before)) {
        size_t size = bytes > CHUNK ? bytes : CHUNK;
        chunk = msa_alloc(m->pickle.m, CHUNK_HEAD + size);
        *chunk = (struct pickle_chunk){arena->chunks, arena->taken, size};
        arena->chunks = chunk;
    }
    void *taken = (uint8_t *)chunk + CHUNK_HEAD + (arena->taken - chunk->before);
    arena->taken += bytes;
    return memset(taken, 0, bytes);
}

static size_t rounded(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

void *pickle_take_free(struct pickle_machine *m, size_t bytes)
{
    return take(m, &m->kept, rounded(bytes));
}

static void *take_limited(struct pickle_machine *m, struct pickle_arena *arena, size_t bytes)
{
    if (bytes > PICKLE_MEMORY || rounded(bytes) > PICKLE_MEMORY - m->kept.taken - m->scratch.taken)
        pickle_fail_limit(m, "its values need more than %d MiB", PICKLE_MEMORY >> 20);
    return take(m, arena, rounded(bytes));
}

void *pickle_take_kept(struct pickle_machine *m, size_t bytes)
{
    return take_limited(m, &m->kept, bytes);
}

void *pickle_take(struct pickle_machine *m, size_t bytes)
{
    return take_limited(m, m->passing ? &m->scratch : &m->kept, bytes);
}

void pickle_take_back(struct pickle_machine *m, size_t place)
{
    struct pickle_arena *arena = &m->scratch;
    if (place < m->floor)
        place = m->floor;
    for (struct pickle_chunk *chunk; (chunk = arena->chunks) && chunk->before > place;) {
        arena->chunks = chunk->next;
        msa_free(m->pickle.m, chunk);
    }
    arena->taken = place;
}

static void arena_free(struct msa *m, struct pickle_arena *arena)
{
    for (struct pickle_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        msa_free(m, chunk);
    }
    *arena = (struct pickle_arena){0};
}

void pickle_arenas_free(struct pickle_machine *m)
{
    arena_free(m->pickle.m, &m->kept);
    arena_free(m->pickle.m, &m->scratch);
}

/* ---- Values ---- */

static void *take_value(struct pickle_machine *m, size_t bytes, enum pickle_kind kind)
{
    if (!m->passing && m->value_count++ == PICKLE_VALUES)
        pickle_fail_limit(m, "more than %d values", PICKLE_VALUES);
    struct pickle_value *v = pickle_take(m, bytes);
    v->kind = kind;
    v->scratch = m->passing;
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

size_t pickle_length(const struct pickle_machine *m, enum pickle_kind kind, size_t n)
{
    if (n % pickle_each(kind))
        pickle_fail(m, "a key of a dict has no value");
    return n / pickle_each(kind);
}

void pickle_append(struct pickle_machine *m, struct pickle_value *to,
                   struct pickle_value *const *items, size_t n)
{
    size_t length = pickle_length(m, to->kind, n), used = to->length * pickle_each(to->kind);
    if (n == 0)
        return;
    if (used + n > room_for(used)) {
        size_t bytes = room_for(used + n) * sizeof *items;
        struct pickle_value **more =
            to->scratch ? pickle_take(m, bytes) : pickle_take_kept(m, bytes);
        if (used)
            memcpy(more, to->items, used * sizeof *more);
        to->items = more;
    }
    if (!to->scratch) { /* what it has stays */
        m->floor = m->scratch.taken;
        pickle_expect_whole(m, to->kind, items, n);
    }
    memcpy(to->items + used, items, n * sizeof *items);
    to->length += length;
}
