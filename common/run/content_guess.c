/* What bytes are that were to be something else, for an error. */
#include "common/run/content.h"
#include "common/run/utf8.h"

#include <string.h>
#include <strings.h>

enum {
    ENOUGH = 16, /* bytes of a beginning, where no more are known */
    START = 512  /* bytes of a text that are looked at */
};

struct beginning {
    const char *begins, *text;
};

/* Text that stands where the file should be, behind spaces and empty lines perhaps. */
static const struct beginning pages[] = {
    {"version https://git-lfs.github.com/spec/", "a Git LFS pointer (git lfs pull gets the data)"},
    {"<!doctype html", "an HTML page (a login or an error, perhaps)"},
    {"<html", "an HTML page (a login or an error, perhaps)"},
    {"<?xml", "an XML page (a login or an error, perhaps)"},
};
static const struct beginning texts[] = {
    {"\xef\xbb\xbf", "text with a byte order mark (UTF-8)"},
    {"\xff\xfe", "text with a byte order mark (UTF-16)"},
    {"\xfe\xff", "text with a byte order mark (UTF-16)"},
    {"{\"", "JSON"},
    {"[{", "JSON"},
    {"{\n", "JSON"},
    {"{\r\n", "JSON"},
};
enum { PAGES = sizeof pages / sizeof *pages, TEXTS = sizeof texts / sizeof *texts };

/* NULL: as none of them */
static const char *find(const struct beginning *all, size_t count, const char *start, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(all[i].begins), known = size < length ? size : length;
        if ((known == length || known >= ENOUGH) && strncasecmp(start, all[i].begins, known) == 0)
            return all[i].text;
    }
    return NULL;
}

const char *content_page(const uint8_t *start, size_t size)
{
    while (size && strchr("\t\n\r ", *start) && *start) {
        start++;
        size--;
    }
    return find(pages, PAGES, (const char *)start, size);
}

const char *content_guess(const uint8_t *start, size_t size)
{
    const char *page = content_page(start, size),
               *text = page ? page : find(texts, TEXTS, (const char *)start, size);
    return text ? text : content_magic(start, size);
}

/* UTF-8, whose last character may be cut off. */
static bool is_utf8(const uint8_t *start, size_t size)
{
    size_t cut = 0;
    while (cut < 3 && cut < size && !utf8_valid(start, size - cut))
        cut++;
    return utf8_valid(start, size - cut);
}

/* Other kinds have control characters early on. */
bool content_is_text(const uint8_t *start, size_t size)
{
    size_t length = size < START ? size : START, i = 0;
    while (i < length && (start[i] >= ' ' || (start[i] >= '\t' && start[i] <= '\r')))
        i++;
    return size && i == length && is_utf8(start, length);
}

const char *content_no_text(const uint8_t *start, size_t size)
{
    const char *page = content_page(start, size);
    return page || content_is_text(start, size) ? page : content_magic(start, size);
}
