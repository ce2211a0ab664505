/* Categories, decompositions and case of code points: utf8proc's, as far as the reference has them.
 */
#include "common/text/letter.h"

#include <ctype.h>
#include <stdlib.h>
#include <utf8proc.h>

struct range {
    int32_t first, last;
};

static int compare_ranges(const void *key, const void *range)
{
    int32_t c = *(const int32_t *)key;
    const struct range *r = range;
    return c < r->first ? -1 : c > r->last;
}

/* Where there are characters since Unicode 8.0 that are no letters, decompose or have a class. */
static bool is_new(int32_t c)
{
    static const struct range ranges[] = {
        {0x61d, 0x61d},     {0x7fd, 0x7fd},     {0x890, 0x8e2},     {0x9fd, 0x9fe},
        {0xa76, 0xa76},     {0xafa, 0xaff},     {0xb55, 0xb55},     {0xc04, 0xc3c},
        {0xc77, 0xc77},     {0xc84, 0xc84},     {0xd00, 0xd00},     {0xd3b, 0xd3c},
        {0xd81, 0xd81},     {0xeba, 0xeba},     {0xece, 0xece},     {0x1715, 0x1715},
        {0x180f, 0x1886},   {0x1abf, 0x1ace},   {0x1b7d, 0x1b7e},   {0x1df6, 0x1dfb},
        {0x2e43, 0x2e5d},   {0xa82c, 0xa82c},   {0xa8c5, 0xa8c5},   {0xa8ff, 0xa8ff},
        {0xa9bd, 0xa9bd},   {0x10d24, 0x10f89}, {0x11070, 0x11074}, {0x110c2, 0x110cd},
        {0x111cf, 0x111cf}, {0x1123e, 0x11241}, {0x1133b, 0x1133b}, {0x11438, 0x1145e},
        {0x11660, 0x1166c}, {0x116b9, 0x116b9}, {0x1182f, 0x11fff}, {0x12ff1, 0x12ff2},
        {0x13430, 0x13455}, {0x16e97, 0x16f4f}, {0x16fe2, 0x16ff1}, {0x1cf00, 0x1cf46},
        {0x1e000, 0x1e4ef}, {0x1e944, 0x1e95f}};
    return bsearch(&c, ranges, sizeof ranges / sizeof *ranges, sizeof *ranges, compare_ranges);
}

static enum letter_kind kind_of_category(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return LETTER_SPACE;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return LETTER_PUNCTUATION;
    case UTF8PROC_CATEGORY_MN:
        return LETTER_ACCENT;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        return LETTER_DROPPED;
    default:
        return LETTER_PLAIN;
    }
}

enum letter_kind letter_kind(int32_t c)
{
    switch (c) {
    case '\t':
    case '\n':
    case '\r':
        return LETTER_SPACE;
    case 0xfffd:
        return LETTER_DROPPED;
    case 0x166d: /* these three have been of another category since */
    case 0x111c9:
        return LETTER_PUNCTUATION;
    case 0x1734:
        return LETTER_ACCENT;
    default:
        return c < 0x80 && ispunct(c) ? LETTER_PUNCTUATION
               : is_new(c)            ? LETTER_PLAIN
                                      : kind_of_category(c);
    }
}

bool letter_is_chinese(int32_t c)
{
    /* The blocks of BERT, but that U+2B820 to U+2B91F are none of them in the reference. */
    static const struct range blocks[] = {
        {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},   {0x20000, 0x2a6df},
        {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    return bsearch(&c, blocks, sizeof blocks / sizeof *blocks, sizeof *blocks, compare_ranges);
}

int letter_decompose(int32_t c, int32_t parts[LETTER_PARTS])
{
    int boundary = 0;
    utf8proc_ssize_t count =
        is_new(c) ? 0
                  : utf8proc_decompose_char(c, parts, LETTER_PARTS, UTF8PROC_DECOMPOSE, &boundary);
    if (count > 0 && count <= LETTER_PARTS)
        return (int)count;
    parts[0] = c;
    return 1;
}

int letter_class(int32_t c)
{
    return is_new(c) ? 0 : utf8proc_get_property(c)->combining_class;
}

int32_t letter_lower(int32_t c)
{
    return utf8proc_tolower(c);
}
