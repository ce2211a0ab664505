/* What bytes are that were to be something else, for an error. */
#include "common/run/content.h"

#include <string.h>

enum { ENOUGH = 16 /* bytes of a beginning, where no more are known */ };

static const struct {
    const char *begins, *text;
} texts[] = {
    {"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the data (git lfs pull)"},
    {"<!DOCTYPE html", "an HTML page, not the data (a login or an error, perhaps)"},
    {"<!doctype html", "an HTML page, not the data (a login or an error, perhaps)"},
    {"<html", "an HTML page, not the data (a login or an error, perhaps)"},
    {"\xef\xbb\xbf", "text with a byte order mark (UTF-8)"},
    {"\xff\xfe", "text with a byte order mark (UTF-16)"},
    {"\xfe\xff", "text with a byte order mark (UTF-16)"},
    {"{\"", "JSON"},
    {"[{", "JSON"},
};

static bool begins(const uint8_t *start, size_t size, const char *text)
{
    size_t length = strlen(text), known = size < length ? size : length;
    return (known == length || known >= ENOUGH) && memcmp(start, text, known) == 0;
}

const char *content_guess(const uint8_t *start, size_t size)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (begins(start, size, texts[i].begins))
            return texts[i].text;
    return content_magic(start, size);
}
