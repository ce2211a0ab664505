/* What the opcodes of a pickle work on: the bytes of the file, and the stack with its marks. */
#include "common/formats/pickle/machine.h"

#include <string.h>

/* ---- Bytes ---- */

const uint8_t *pickle_read(struct pickle_machine *m, uint64_t bytes)
{
    size_t left = (size_t)(m->end - m->at);
    if (bytes > left)
        pickle_fail(m, "the file is cut off: %llu bytes belong here, %zu are left",
                    (unsigned long long)bytes, left);
    m->at += bytes;
    return m->at - bytes;
}

uint64_t pickle_unsigned_at(const uint8_t *from, size_t bytes)
{
    uint64_t n = 0;
    for (size_t i = bytes; i-- > 0;)
        n = n << 8 | from[i];
    return n;
}

uint64_t pickle_read_unsigned(struct pickle_machine *m, size_t bytes)
{
    return pickle_unsigned_at(pickle_read(m, bytes), bytes);
}

const uint8_t *pickle_read_line(struct pickle_machine *m, size_t *length)
{
    const uint8_t *line = m->at,
                  *end = line < m->end ? memchr(line, '\n', (size_t)(m->end - line)) : NULL;
    if (!end)
        pickle_fail(m, "the file is cut off: a line has no end");
    *length = (size_t)(end - line);
    m->at = end + 1;
    return line;
}

/* ---- The stack ---- */

/* One more item of `size` bytes. */
static void *grow(struct pickle_machine *m, struct pickle_stack *stack, size_t size)
{
    if (stack->count == stack->room) {
        if (stack->room == PICKLE_VALUES)
            pickle_fail_limit(m, "more than %d values at a time", PICKLE_VALUES);
        stack->room = stack->room ? 2 * stack->room : 256;
        stack->items = msa_realloc(m->pickle.m, stack->items, stack->room * size);
    }
    return (uint8_t *)stack->items + size * stack->count++;
}

static struct pickle_value **values(const struct pickle_stack *stack)
{
    return stack->items;
}

void pickle_push(struct pickle_machine *m, struct pickle_value *value)
{
    m->places.count = m->values.count;
    *(struct pickle_value **)grow(m, &m->values, sizeof value) = value;
    *(size_t *)grow(m, &m->places, sizeof(size_t)) = m->scratch.taken;
}

size_t pickle_place(const struct pickle_machine *m, size_t i)
{
    return ((const size_t *)m->places.items)[i];
}

void pickle_note_place(struct pickle_machine *m)
{
    if (m->values.count)
        ((size_t *)m->places.items)[m->values.count - 1] = m->scratch.taken;
}

/* Where the values above the last mark begin. */
static size_t floor_of(const struct pickle_machine *m)
{
    return m->marks.count ? ((const size_t *)m->marks.items)[m->marks.count - 1] : 0;
}

struct pickle_value *pickle_top(const struct pickle_machine *m)
{
    if (m->values.count <= floor_of(m))
        pickle_fail(m, "a value is missing on the stack");
    return values(&m->values)[m->values.count - 1];
}

struct pickle_value *pickle_pop(struct pickle_machine *m)
{
    struct pickle_value *value = pickle_top(m);
    m->values.count--;
    return value;
}

struct pickle_value **pickle_pop_mark(struct pickle_machine *m, size_t *n)
{
    if (m->marks.count == 0)
        pickle_fail(m, "a mark is missing on the stack");
    size_t from = floor_of(m);
    *n = m->values.count - from;
    m->marks.count--;
    m->values.count = from;
    return from || *n ? values(&m->values) + from : NULL;
}

void pickle_op_mark(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    *(size_t *)grow(m, &m->marks, sizeof(size_t)) = m->values.count;
}

void pickle_op_pop(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    if (m->marks.count && floor_of(m) == m->values.count)
        m->marks.count--;
    else
        pickle_pop(m);
}

void pickle_op_pop_mark(struct pickle_machine *m, size_t unused)
{
    pickle_pop_mark(m, &unused);
}

void pickle_op_dup(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    if (m->passing) /* what is dropped by one of the two would be gone for the other */
        pickle_missed(m);
    pickle_push(m, pickle_top(m));
}
