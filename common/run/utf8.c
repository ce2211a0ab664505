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

/* The number of a character of so many bytes. */
static uint32_t number_of(const uint8_t *text, size_t size)
{
    uint32_t number = size == 1 ? text[0] : text[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        number = number << 6 | (text[i] & 0x3f);
    return number;
}

static bool is_shown(uint32_t number)
{
    static const uint32_t hidden[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
                                         {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},
                                         {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (number >= hidden[i][0] && number <= hidden[i][1])
            return false;
    return true;
}

/* How many bytes of the text can be shown as they are, up to the first character that cannot. */
static size_t shown_part(const uint8_t *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        if (text[at] >= ' ' && text[at] < 0x7f) { /* most are */
            at++;
            continue;
        }
        size_t size = character(text + at, length - at);
        if (size == 0 || !is_shown(number_of(text + at, size)))
            break;
        at += size;
    }
    return at;
}

bool utf8_printable(const void *text, size_t length)
{
    return shown_part(text, length) == length;
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

/* In one pass: of a mapped file that becomes shorter there may be more zeros the next time. */
char *utf8_said(struct msa *m, const char *text, size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd";
    enum { BYTES = sizeof replacement - 1 };
    char *said = msa_calloc(m, length + 1, BYTES), *to = said;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        to = c ? mempcpy(to, &c, 1) : mempcpy(to, replacement, BYTES);
    }
    utf8_clean(said, (size_t)(to - said));
    return said;
}

/* ---- Showing ---- */

void utf8_show(char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    char *to = text;
    while (at < end) {
        size_t part = shown_part(at, (size_t)(end - at));
        memmove(to, at, part);
        to += part;
        at += part;
        if (at == end)
            break;
        size_t size = character(at, (size_t)(end - at));
        at += size ? size : 1;
        *to++ = '?';
    }
    *to = '\0';
}

static void print(FILE *to, const uint8_t *text, size_t length, bool escaped)
{
    while (length) {
        size_t part = shown_part(text, length);
        fwrite(text, 1, part, to);
        text += part;
        length -= part;
        if (!length)
            break;
        size_t size = character(text, length);
        if (escaped && size)
            fprintf(to, "\\u%04x", number_of(text, size));
        else
            fputc('?', to);
        text += size ? size : 1;
        length -= size ? size : 1;
    }
}

void utf8_print(FILE *to, const void *text, size_t length)
{
    print(to, text, length, false);
}

void utf8_print_escaped(FILE *to, const void *text, size_t length)
{
    print(to, text, length, true);
}
