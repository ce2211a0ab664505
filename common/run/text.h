/* Questions about text. */
#ifndef MSA_TEXT_H
#define MSA_TEXT_H

#include <stdbool.h>
#include <string.h>

static inline bool text_ends(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

#endif
