/* The memo of a pickle: values that are put there, and fetched again. Picklers put nearly
 * everything there, so which entries are fetched is found first, from the opcodes alone; no others
 * are kept. */
#include "common/formats/pickle/machine.h"
#include "common/run/sorted.h"

#include <string.h>

/* ---- Finding ---- */

/* Those that are there twice make room; where they are fewer than half, there is to be more. */
static void make_room(struct pickle_machine *m)
{
    struct pickle_memo *memo = &m->memo;
    memo->count = sorted_numbers(memo->indexes, memo->count);
    if (memo->count > PICKLE_VALUES)
        pickle_fail(m, "more than %d values are used again", PICKLE_VALUES);
    if (2 * memo->count < memo->room)
        return;
    memo->room = memo->room ? 2 * memo->room : 256;
    memo->indexes = msa_realloc(m->pickle.m, memo->indexes, memo->room * sizeof *memo->indexes);
}

/* What is wrong with the opcodes is for those that run them to say. */
void pickle_memo_find(struct pickle_machine *m)
{
    const uint8_t *at = m->at;
    uint64_t number = 0;
    for (int code; (code = pickle_next_op(&at, m->end, &number)) >= 0 && code != '.';)
        if (code == 'h' || code == 'j') {
            if (m->memo.count == m->memo.room)
                make_room(m);
            m->memo.indexes[m->memo.count++] = (uint32_t)number;
        }
    m->memo.count = sorted_numbers(m->memo.indexes, m->memo.count);
    m->memo.values = msa_calloc(m->pickle.m, m->memo.count + 1, sizeof *m->memo.values);
}

void pickle_memo_free(struct pickle_machine *m)
{
    msa_free(m->pickle.m, m->memo.indexes);
    msa_free(m->pickle.m, m->memo.values);
    m->memo = (struct pickle_memo){0};
}

/* ---- Values ---- */

/* Where an entry is, or would be; NULL: it is never fetched. */
static struct pickle_value **slot(const struct pickle_memo *memo, uint64_t index)
{
    size_t low = 0, high = memo->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memo->indexes[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < memo->count && memo->indexes[low] == index ? &memo->values[low] : NULL;
}

static bool in_file(const struct pickle_machine *m, const uint8_t *bytes)
{
    return !bytes || (bytes >= m->pickle.map.bytes && bytes <= m->end);
}

/* Is that all of it? */
static bool is_flat(const struct pickle_machine *m, const struct pickle_value *v)
{
    const struct pickle_other *other = (const struct pickle_other *)v;
    if (v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES)
        return in_file(m, v->bytes);
    if (v->kind == PICKLE_OTHER)
        return other->what != OTHER_LATIN1 || in_file(m, other->latin1.text);
    return v->kind != PICKLE_LIST && v->kind != PICKLE_DICT && v->kind != PICKLE_ARRAY;
}

/* What is passed over is fetched by name, by key: texts, dtypes, globals. */
static struct pickle_value *lasting(struct pickle_machine *m, struct pickle_value *v)
{
    if (!v->scratch)
        return v;
    if (!is_flat(m, v))
        return &m->passed_over.value;
    size_t size = v->kind == PICKLE_OTHER ? sizeof(struct pickle_other) : sizeof *v;
    struct pickle_value *copy = memcpy(pickle_take_kept(m, size), v, size);
    copy->scratch = false;
    return copy;
}

static void put(struct pickle_machine *m, uint64_t index)
{
    struct pickle_value **to = slot(&m->memo, index), *value = pickle_top(m);
    m->memo.puts++;
    if (!to)
        return;
    *to = lasting(m, value);
    if (*to != &m->passed_over.value) { /* a dtype is put before it is complete */
        pickle_pop(m);
        pickle_push(m, *to);
    }
}

void pickle_op_memo_put(struct pickle_machine *m, size_t width)
{
    m->memo.numbered = true;
    put(m, pickle_read_unsigned(m, width));
}

void pickle_op_memoize(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    if (m->memo.numbered)
        pickle_fail(m, "opcode MEMOIZE behind one of protocols 2 and 3");
    put(m, m->memo.puts);
}

void pickle_op_memo_get(struct pickle_machine *m, size_t width)
{
    uint64_t index = pickle_read_unsigned(m, width);
    struct pickle_value **from = slot(&m->memo, index), *value = from ? *from : NULL;
    if (!value)
        pickle_fail(m, "memo entry %llu is not there", (unsigned long long)index);
    if (value == &m->passed_over.value && !m->passing)
        pickle_missed(m);
    if (m->passing && !is_flat(m, value)) /* it is not to be filled here */
        value = &m->passed_over.value;
    m->missed |= value == &m->passed_over.value;
    pickle_push(m, value);
}
