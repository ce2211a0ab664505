/* Questions about text. */
#include "common/run/text.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *text_twice(const char **texts, size_t count)
{
    if (count)
        qsort(texts, count, sizeof *texts, compare);
    for (size_t i = 1; i < count; i++)
        if (strcmp(texts[i - 1], texts[i]) == 0)
            return texts[i];
    return NULL;
}
