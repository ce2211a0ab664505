/* Text of arrays and values, as UTF-8 that is valid whatever the file holds. */
#include "common/formats/pickle/machine.h"

#include <inttypes.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd };

static bool is_character(uint32_t c)
{
    return c != 0 && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

/* Writes a code point (U+FFFD for what is none, and for NUL); where the next one goes. */
static char *put(char *to, uint32_t c)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (!is_character(c))
        c = REPLACEMENT;
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(lead[n] | c);
    return to + n;
}

/* The code point of the first of n bytes and its length; REPLACEMENT and 1 where they are not
 * UTF-8. */
static uint32_t get(const uint8_t *from, size_t n, size_t *length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = from[0];
    size_t size = lead < 0x80   ? 1
                  : lead < 0xc0 ? 0
                  : lead < 0xe0 ? 2
                  : lead < 0xf0 ? 3
                  : lead < 0xf8 ? 4
                                : 0;
    *length = 1;
    if (size == 1)
        return lead;
    if (size == 0 || size > n)
        return REPLACEMENT;
    uint32_t c = lead & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((from[i] & 0xc0) != 0x80)
            return REPLACEMENT;
        c = c << 6 | (from[i] & 0x3f);
    }
    if (c < smallest[size] || !is_character(c))
        return REPLACEMENT;
    *length = size;
    return c;
}

/* out takes 3 * n bytes and the end. */
static void clean_utf8(char *out, const uint8_t *from, size_t n)
{
    for (size_t length; n > 0; from += length, n -= length)
        out = put(out, get(from, n, &length));
    *out = '\0';
}

/* n code points of 4 bytes; out takes 4 * n bytes and the end. */
static void clean_ucs4(char *out, const uint8_t *from, size_t n, bool swapped)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t c;
        memcpy(&c, from + 4 * i, 4);
        out = put(out, swapped ? __builtin_bswap32(c) : c);
    }
    *out = '\0';
}

/* Elements are filled up with zeros: the bytes before them. */
static size_t without_zeros(const uint8_t *bytes, size_t n, size_t unit)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return (n + unit - 1) / unit * unit;
}

/* Of code points, or bytes of text. */
static void check_letters(const struct pickle *p, size_t n)
{
    if (n > PICKLE_LETTERS)
        msa_fail(p->m, MSA_CORRUPT, "%s: a text of %zu letters but expected at most %d", p->path, n,
                 PICKLE_LETTERS);
}

char *pickle_string(struct pickle *p, const struct pickle_array *a, size_t i)
{
    size_t run, step;
    pickle_check_range(p, a, i, 1);
    if (a->kind == 'O')
        return pickle_text(p, &a->objects[i]);
    if (strchr("iub", a->kind)) {
        struct pickle_value number = {.kind = PICKLE_INT};
        pickle_integers(p, a, i, 1, &number.integer);
        number.above = a->kind == 'u' && number.integer < 0;
        return pickle_text(p, &number);
    }
    if (a->kind != 'U' && a->kind != 'S')
        msa_fail(p->m, MSA_CORRUPT, "%s: array of dtype %c%zu but expected text", p->path, a->kind,
                 a->item);
    check_letters(p, a->kind == 'U' ? a->item / 4 : a->item);
    uint8_t *buffer = a->latin1 ? msa_alloc(p->m, a->item) : NULL;
    const uint8_t *bytes =
        pickle_bytes(p, a, pickle_locate(a, i, &run, &step) * a->item, a->item, buffer);
    size_t n = without_zeros(bytes, a->item, a->kind == 'U' ? 4 : 1);
    char *text = msa_alloc(p->m, a->kind == 'U' ? n + 1 : 3 * n + 1);
    if (a->kind == 'U')
        clean_ucs4(text, bytes, n / 4, a->swapped);
    else
        clean_utf8(text, bytes, n);
    msa_free(p->m, buffer);
    return text;
}

char *pickle_text(struct pickle *p, const struct pickle_value *v)
{
    if (v->kind == PICKLE_INT)
        return v->above ? msa_format(p->m, "%" PRIu64, (uint64_t)v->integer)
                        : msa_format(p->m, "%" PRId64, v->integer);
    if (v->kind != PICKLE_TEXT && v->kind != PICKLE_BYTES)
        msa_fail(p->m, MSA_CORRUPT, "%s: a value of %s but expected text", p->path,
                 pickle_kind_name(v->kind));
    check_letters(p, v->length);
    char *text = msa_calloc(p->m, v->length + 1, 3);
    clean_utf8(text, v->bytes, v->length);
    return text;
}

struct pickle_value *pickle_scalar_text(struct pickle_machine *m, const struct pickle_array *a)
{
    struct pickle_value *value = pickle_new(m, PICKLE_TEXT);
    uint8_t *text = pickle_take(m, 3 * a->item + 1);
    char *made = pickle_string(&m->pickle, a, 0);
    value->length = strlen(made);
    value->bytes = memcpy(text, made, value->length);
    msa_free(m->pickle.m, made);
    return value;
}
