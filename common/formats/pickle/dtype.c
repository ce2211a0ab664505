/* Dtypes, and what the allowed globals have in common: looking at the values that they are called
 * with. */
#include "common/formats/pickle/machine.h"

#include <stdio.h>
#include <string.h>

/* ---- Arguments ---- */

const struct pickle_value *pickle_item(const struct pickle_machine *m,
                                       const struct pickle_value *tuple, size_t i,
                                       enum pickle_kind kind, const char *what)
{
    if (tuple->kind != PICKLE_LIST || i >= pickle_kept(tuple) || tuple->items[i]->kind != kind)
        pickle_fail(m, "%s: value %zu is missing or of a wrong type", what, i + 1);
    return tuple->items[i];
}

const struct pickle_other *pickle_item_other(const struct pickle_machine *m,
                                             const struct pickle_value *tuple, size_t i, int kind,
                                             const char *what)
{
    const struct pickle_other *other =
        (const struct pickle_other *)pickle_item(m, tuple, i, PICKLE_OTHER, what);
    if ((int)other->what != kind)
        pickle_fail(m, "%s: value %zu is of a wrong type", what, i + 1);
    return other;
}

bool pickle_is_word(const struct pickle_value *v, const char *word)
{
    return (v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES) && v->length == strlen(word) &&
           memcmp(v->bytes, word, v->length) == 0;
}

/* ---- Dtypes ---- */

static bool valid_item(char kind, unsigned bytes)
{
    bool power = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    return kind == 'f'                  ? power && bytes > 1
           : kind == 'i' || kind == 'u' ? power
                                        : kind != 'b' || bytes == 1;
}

/* '<' and '>' are byte orders, '|' is for what has none, '=' is the writer's own. */
static bool is_swapped(char order)
{
    return order == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
}

/* dtype("f4", align, copy) */
struct pickle_value *pickle_make_dtype(struct pickle_machine *m, const struct pickle_value *args)
{
    if (args->kind != PICKLE_LIST || args->length == 0)
        pickle_fail(m, "a dtype without a name");
    const struct pickle_value *name = args->items[0];
    if (name->kind != PICKLE_TEXT && name->kind != PICKLE_BYTES)
        pickle_fail(m, "a dtype whose name is no text");
    char text[64], order = '=', kind = 0, rest = 0;
    unsigned size = 0;
    pickle_printable(text, name->bytes, name->length);
    const char *at = text + (text[0] && strchr("<>=|", text[0]) != NULL);
    if (at > text)
        order = text[0];
    if (sscanf(at, "%c%9u%c", &kind, &size, &rest) != 2 || !strchr("fiubUSO", kind) ||
        !valid_item(kind, size))
        pickle_fail(m, "dtype '%s' but expected f2 f4 f8, i1 to i8, u1 to u8, b1, U, S or O", text);
    struct pickle_other *other = pickle_new_other(m, OTHER_DTYPE);
    other->dtype.kind = kind;
    other->dtype.swapped = is_swapped(order);
    other->dtype.item = kind == 'U' ? 4 * (size_t)size : size;
    return &other->value;
}

/* Its state: (version, byte order, subarray, names, fields, size, alignment, flags …). */
void pickle_build_dtype(const struct pickle_machine *m, struct pickle_dtype *dtype,
                        const struct pickle_value *state)
{
    int64_t version = pickle_item(m, state, 0, PICKLE_INT, "state of a dtype")->integer;
    if (version < 3 || version > 4)
        pickle_fail(m, "state of a dtype of version %lld but expected 3 or 4", (long long)version);
    for (size_t i = 2; i < 5; i++)
        pickle_item(m, state, i, PICKLE_NONE, "state of a dtype (one without fields)");
    int64_t size = pickle_item(m, state, 5, PICKLE_INT, "state of a dtype")->integer;
    if (size >= 0 && (dtype->kind == 'U' || dtype->kind == 'S') && (size_t)size != dtype->item)
        pickle_fail(m, "dtype of %zu bytes has a state of %lld bytes", dtype->item,
                    (long long)size);
    const struct pickle_value *order = state->items[1];
    if (!pickle_is_word(order, "<") && !pickle_is_word(order, ">") && !pickle_is_word(order, "|") &&
        !pickle_is_word(order, "="))
        pickle_fail(m, "state of a dtype: its byte order is none of < > | =");
    dtype->swapped = is_swapped((char)order->bytes[0]);
}
