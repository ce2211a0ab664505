/* What has been found of one tensor or value, over all frames. For compare*.c alone. */
#ifndef MSA_COMPARE_INTERNAL_H
#define MSA_COMPARE_INTERNAL_H

#include "common/inspect/compare.h"

enum { PLACE_TEXT = 128, PLACE_FIRST = 768 };

struct place {
    struct place *next; /* found after this one */
    const char *kind;
    char *path;
    bool noted;
    uint64_t values, differing;
    double absolute, relative; /* the largest differences of numbers, whatever the tolerance */
    char first[PLACE_FIRST];   /* of those that differ: both values, frame, index, sample */
};

/* The place that a spot is in. */
struct place *compare_place(struct compare *c, const struct spot *at);
/* Takes the difference of two numbers; true: they are not equal. `whole` numbers that come here are
 * not the same. */
bool compare_numbers(const struct compare *c, struct place *p, double a, double b, bool whole);
/* One value differs; true: it is the first one, and place_say is to say what it is. */
bool place_differs(struct place *p);
/* `tensor` and `i`: the element, where it is one; else NULL. */
void place_say(struct place *p, const struct spot *at, const char *a, const char *b,
               const struct tensor *tensor, size_t i);

#endif
