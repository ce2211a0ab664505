/* Arrays in order. */
#include "common/run/sorted.h"

#include <stdlib.h>
#include <string.h>

int sorted_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_texts(const char **texts, size_t count)
{
    if (count)
        qsort(texts, count, sizeof *texts, sorted_compare);
}

size_t sorted_texts(const char **texts, size_t count)
{
    size_t different = 0;
    sort_texts(texts, count);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(texts[i], texts[different - 1]) != 0)
            texts[different++] = texts[i];
    return different;
}

const char *sorted_twice(const char **texts, size_t count)
{
    sort_texts(texts, count);
    for (size_t i = 1; i < count; i++)
        if (strcmp(texts[i - 1], texts[i]) == 0)
            return texts[i];
    return NULL;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

size_t sorted_numbers(uint32_t *numbers, size_t count)
{
    size_t different = 0;
    if (count)
        qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || numbers[i] != numbers[different - 1])
            numbers[different++] = numbers[i];
    return different;
}
