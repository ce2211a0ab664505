/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "common/run/utf8.h"

#include <string.h>

/* Bytes of the character that `text` begins with; 0 when it is none. */
static size_t character(const uint8_t *text, size_t length)
{
    uint8_t first = text[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                  : first >= 0xe0 && first <= 0xef ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
    if (size == 0 || size > length)
        return 0;
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < least || text[1] > most)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    return size;
}

bool utf8_valid(const void *text, size_t length)
{
    const uint8_t *at = text, *end = at + length;
    while (at < end) {
        size_t size = character(at, (size_t)(end - at));
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

bool utf8_printable(const void *text, size_t length)
{
    const uint8_t *bytes = text;
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < ' ' || bytes[i] == 0x7f)
            return false;
    return utf8_valid(text, length);
}

void utf8_clean(char *text, size_t length)
{
    uint8_t *at = (uint8_t *)text, *end = at + length;
    while (at < end) {
        size_t size = character(at, (size_t)(end - at));
        if (size == 0 || *at == 0)
            *at = '?';
        at += size ? size : 1;
    }
}

char *utf8_said(struct msa *m, const char *text, size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd";
    enum { BYTES = sizeof replacement - 1 };
    size_t zeros = 0;
    for (size_t i = 0; i < length; i++)
        zeros += !text[i];
    char *said = msa_alloc(m, length + zeros * (BYTES - 1) + 1), *to = said;
    for (size_t i = 0; i < length; i++)
        to = text[i] ? mempcpy(to, text + i, 1) : mempcpy(to, replacement, BYTES);
    utf8_clean(said, (size_t)(to - said));
    return said;
}
