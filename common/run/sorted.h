/* Arrays in order. */
#ifndef MSA_SORTED_H
#define MSA_SORTED_H

#include <stddef.h>
#include <stdint.h>

/* Of two texts, or of what begins with one, in the order of bytes: for qsort and bsearch. */
int sorted_compare(const void *a, const void *b);

/* Both sort, and leave of equal ones the first alone: how many there are then. */
size_t sorted_texts(const char **texts, size_t count);
size_t sorted_numbers(uint32_t *numbers, size_t count);

/* The first text that is there twice, NULL where all differ; sorts them. */
const char *sorted_twice(const char **texts, size_t count);

#endif
