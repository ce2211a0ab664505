/* Bytes of arrays that protocol 2 writes as text: each byte is a code point below 256, in UTF-8 one
 * byte or two. An index of where every LATIN1_STEP-th one starts makes any of them quick to find
 * without decoding the rest. */
#include "common/data/pickle_machine.h"

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

/* Where the n-th code point behind `at` is, in text that has been decoded once: 8 bytes at a time,
 * of which those count that do not continue a code point (10xxxxxx). */
static size_t skip(const struct pickle *p, const struct pickle_array *a, size_t at, size_t n)
{
    const uint64_t ones = 0x0101010101010101;
    while (n >= 8 && a->latin1_size - at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, a->latin1 + at, 8);
        at += 8;
        n -= 8 - ((bytes >> 7 & ~bytes >> 6 & ones) * ones >> 56);
    }
    while (at < a->latin1_size && (a->latin1[at] & 0xc0) == 0x80)
        at++;
    return decode(p, a, at, n, NULL);
}

static size_t *make_index(struct pickle *p, const struct pickle_array *a, size_t bytes)
{
    size_t pieces = bytes / LATIN1_STEP, at = 0;
    size_t *index = pickle_take_free((struct pickle_machine *)p, (pieces + 1) * sizeof *index);
    for (size_t i = 0; i < pieces; i++)
        index[i + 1] = at = decode(p, a, at, LATIN1_STEP, NULL);
    return index;
}

const uint8_t *pickle_bytes(struct pickle *p, const struct pickle_array *a, size_t offset,
                            size_t size, uint8_t *buffer)
{
    if (!a->latin1)
        return a->data + offset;
    size_t bytes = a->count * a->item, at = 0;
    if (offset >= LATIN1_STEP) {
        if (!a->latin1_index)
            ((struct pickle_array *)a)->latin1_index =
                make_index(p, a, bytes); /* const but for this cache */
        at = skip(p, a, a->latin1_index[offset / LATIN1_STEP], offset % LATIN1_STEP);
    } else {
        at = decode(p, a, at, offset, NULL);
    }
    at = decode(p, a, at, size, buffer);
    if (offset + size == bytes && at != a->latin1_size)
        not_latin1(p, a, at);
    return buffer;
}
