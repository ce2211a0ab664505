/* Bytes of arrays that protocol 2 writes as text: each byte is a code point below 256, in UTF-8 one
 * byte or two. An index of where every LATIN1_STEP-th one starts makes any of them quick to find
 * without decoding the rest. */
#include "common/formats/pickle/machine.h"

#include <string.h>

enum { LATIN1_STEP = 1024 };

static _Noreturn void not_latin1(const struct pickle *p, const struct pickle_array *a, size_t at)
{
    msa_fail(p->m, MSA_CORRUPT,
             "%s: byte %zu: array of %zu bytes in a text that is not their latin1", p->path,
             (size_t)(a->latin1 - p->map.bytes) + at, a->count * a->item);
}

/* Decodes n code points from `at` on into out, which may be NULL; where the next one is. */
static size_t decode(const struct pickle *p, const struct pickle_array *a, size_t at, size_t n,
                     uint8_t *out)
{
    const uint8_t *text = a->latin1;
    for (size_t i = 0; i < n; i++) {
        bool two = at < a->latin1_size && text[at] >= 0x80;
        if (at + two >= a->latin1_size ||
            (two && ((text[at] & 0xfe) != 0xc2 || (text[at + 1] & 0xc0) != 0x80)))
            not_latin1(p, a, at);
        if (out)
            out[i] = two ? (uint8_t)(text[at] << 6 | (text[at + 1] & 0x3f)) : text[at];
        at += 1 + two;
    }
    return at;
}

/* The same without out, 8 bytes at a time. In each byte of these words is a 1 or a 0: does it
 * continue a code point (10xxxxxx), does it begin one of two bytes (1100001x)? Where that does not
 * fit together, decode says so. */
static size_t skip(const struct pickle *p, const struct pickle_array *a, size_t at, size_t n)
{
    const uint64_t ones = 0x0101010101010101, sevens = 0x7f * ones;
    uint64_t open = 0; /* is `at` in the middle of a code point? */
    while (n >= 8 && a->latin1_size - at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, a->latin1 + at, 8);
        uint64_t other = (bytes ^ 0xc2 * ones) & 0xfe * ones; /* 0 where one of two begins */
        uint64_t begin = ~(((other & sevens) + sevens) | other) >> 7 & ones;
        uint64_t go_on = bytes >> 7 & ~bytes >> 6 & ones;
        if ((bytes >> 7 & ones) != (begin | go_on) || go_on != (begin << 8 | open))
            break;
        open = begin >> 56;
        at += 8;
        n -= 8 - (go_on * ones >> 56);
    }
    return decode(p, a, at - open, n + open, NULL);
}

/* Where byte `piece` * LATIN1_STEP starts. The index grows as far as it is needed. */
static size_t piece_at(struct pickle *p, struct pickle_array *a, size_t piece)
{
    if (!a->latin1_index)
        a->latin1_index =
            pickle_take_free((struct pickle_machine *)p,
                             (a->count * a->item / LATIN1_STEP + 1) * sizeof *a->latin1_index);
    for (; a->latin1_indexed < piece; a->latin1_indexed++)
        a->latin1_index[a->latin1_indexed + 1] =
            skip(p, a, a->latin1_index[a->latin1_indexed], LATIN1_STEP);
    return a->latin1_index[piece];
}

const uint8_t *pickle_bytes(struct pickle *p, const struct pickle_array *a, size_t offset,
                            size_t size, uint8_t *buffer)
{
    if (!a->latin1)
        return a->data + offset;
    /* const but for this index */
    size_t at = piece_at(p, (struct pickle_array *)a, offset / LATIN1_STEP);
    at = skip(p, a, at, offset % LATIN1_STEP);
    at = decode(p, a, at, size, buffer);
    if (offset + size == a->count * a->item && at != a->latin1_size)
        not_latin1(p, a, at);
    return buffer;
}
