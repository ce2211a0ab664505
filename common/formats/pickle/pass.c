/* What is not used of a pickle. It is made like everything else, since an array may need it, but of
 * memory that is taken back: lists and dicts drop all but their first items as they are filled. So
 * it takes no more than what is on the stack at a time, whatever there is of it.
 *
 * Memory is taken in order, and each entry of the stack knows how much had been taken when it was
 * new. What is taken behind the last item that is kept belongs to those that are dropped. */
#include "common/formats/pickle/machine.h"

#include <stdio.h>
#include <string.h>

enum { KEPT_ITEMS = 1, KEPT_PAIRS = 64, WHOLE = 16 /* items of a tuple that arrays may need */ };

/* ---- Where ---- */

/* Where the next value belongs: the keys of the dicts that are being filled, the outermost first,
 * and the place in a list. */
struct place {
    const struct pickle_value *keys[2];
    size_t depth; /* keys that are known */
    bool listed;
    size_t item;
};

static struct pickle_value *entry(const struct pickle_machine *m, size_t i)
{
    return ((struct pickle_value **)m->values.items)[i];
}

static size_t mark(const struct pickle_machine *m, size_t i)
{
    return i < m->marks.count ? ((const size_t *)m->marks.items)[i] : m->values.count;
}

static bool is_text(const struct pickle_value *v)
{
    return v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES;
}

static bool is_function(const struct pickle_value *v)
{
    return v->kind == PICKLE_OTHER && ((const struct pickle_other *)v)->what == OTHER_GLOBAL;
}

/* Entries [first, end) of the stack are to be filled into a dict: pairs behind a mark, or one pair.
 * The key of the last, and where its value is (the end of the stack: nowhere yet). A value that is
 * a function has its arguments above it until it is called, and an array its state, which is no
 * text, until it is built. */
static const struct pickle_value *key_of(const struct pickle_machine *m, size_t first, size_t end,
                                         bool marked, size_t *value)
{
    enum { ARGUMENTS = 8 }; /* entries, at most; what has more is behind a mark of its own */
    size_t last = marked ? first + (end - first - 1) / 2 * 2 : first, key = last;
    for (size_t i = last; i > first && last - i < ARGUMENTS; i -= 2)
        if (is_function(entry(m, i - 1)) || (key == i && !is_text(entry(m, i))))
            key = i - 2;
    *value = key + 1 < end ? key + 1 : m->values.count;
    return entry(m, key);
}

static struct place find(const struct pickle_machine *m)
{
    struct place p = {0};
    size_t at = 0, marks = 0;
    while (at < m->values.count) {
        const struct pickle_value *container = entry(m, at);
        size_t first = at + 1;
        bool marked = marks < m->marks.count && mark(m, marks) == first;
        marks += marked;
        size_t end = mark(m, marks);
        if (container->kind == PICKLE_LIST && p.depth) {
            bool nested = marks < m->marks.count;
            p.listed = true;
            p.item = container->length + (marked && end > first ? end - first - nested : 0);
        }
        if (container->kind != PICKLE_DICT || end <= first || p.depth == 2)
            break;
        const struct pickle_value *key = key_of(m, first, end, marked, &at);
        if (!is_text(key))
            break;
        p.keys[p.depth++] = key;
    }
    return p;
}

static bool is_used(const struct pickle_machine *m, const struct pickle_value *key)
{
    return is_text(key) && m->used(m->closure, key->bytes, key->length);
}

void pickle_decide(struct pickle_machine *m)
{
    enum { MARKS = 2 }; /* of the dict of all, and of a split */
    if (m->used && m->marks.count <= MARKS) {
        struct place p = find(m);
        m->passing = false;
        for (size_t i = 0; i < p.depth; i++)
            m->passing |= !is_used(m, p.keys[i]);
    }
    if (!m->passing)
        m->floor = m->scratch.taken;
    pickle_note_place(m);
}

void pickle_where(const struct pickle_machine *m, char text[PICKLE_WHERE])
{
    struct place p = find(m);
    char keys[2][64], sample[32] = "";
    for (size_t i = 0; i < p.depth; i++)
        pickle_printable(keys[i], p.keys[i]->bytes, p.keys[i]->length);
    if (p.listed)
        snprintf(sample, sizeof sample, "sample %zu, ", p.item);
    text[0] = '\0';
    if (p.depth == 2)
        snprintf(text, PICKLE_WHERE, "%s: %s'%s': ", keys[0], sample, keys[1]);
    else if (p.depth)
        snprintf(text, PICKLE_WHERE, "%s'%s': ", sample, keys[0]);
}

_Noreturn void pickle_missed(struct pickle_machine *m)
{
    m->missed = true;
    pickle_fail(m, "a value that was passed over is used");
}

static bool is_collection(const struct pickle_value *v)
{
    return v->kind == PICKLE_LIST || v->kind == PICKLE_DICT || v->kind == PICKLE_ARRAY;
}

void pickle_expect_whole(struct pickle_machine *m, enum pickle_kind kind,
                         struct pickle_value *const *items, size_t n)
{
    size_t each = pickle_each(kind);
    for (size_t i = 0; i < n; i += each) {
        const struct pickle_value *v = items[i + each - 1];
        if (v->scratch && is_collection(v) && (each == 1 || is_used(m, items[i])))
            pickle_missed(m);
    }
}

/* ---- Lists and dicts ---- */

static size_t most(enum pickle_kind kind)
{
    return kind == PICKLE_DICT ? 2 * KEPT_PAIRS : KEPT_ITEMS;
}

size_t pickle_kept(const struct pickle_value *v)
{
    size_t kept = most(v->kind) / pickle_each(v->kind);
    return v->passed && v->length > kept ? kept : v->length;
}

void pickle_drop(struct pickle_machine *m, struct pickle_value *to,
                 struct pickle_value *const *items, size_t n)
{
    size_t length = pickle_length(m, to->kind, n), used = pickle_kept(to) * pickle_each(to->kind),
           room = most(to->kind) - used, kept = n < room ? n : room;
    if (kept)
        memcpy(to->items + used, items, kept * sizeof *items);
    to->length += length;
    pickle_take_back(m, pickle_place(m, m->values.count - 1 + kept));
}

/* Of items that are on top of nothing yet. */
static struct pickle_value *collect_passed(struct pickle_machine *m, enum pickle_kind kind,
                                           struct pickle_value *const *items, size_t n)
{
    size_t length = pickle_length(m, kind, n), kept = n < most(kind) ? n : most(kind);
    if (kept)
        pickle_take_back(m, pickle_place(m, m->values.count + kept - 1));
    struct pickle_value *made = pickle_new(m, kind);
    made->passed = true;
    made->items = pickle_take(m, most(kind) * sizeof *items);
    made->length = length;
    if (kept)
        memcpy(made->items, items, kept * sizeof *items);
    return made;
}

struct pickle_value *pickle_collect(struct pickle_machine *m, enum pickle_kind kind,
                                    struct pickle_value *const *items, size_t n)
{
    if (m->passing && (n == 0 || n > WHOLE))
        return collect_passed(m, kind, items, n);
    struct pickle_value *made = pickle_new(m, kind);
    pickle_append(m, made, items, n);
    return made;
}
