/* The first frame with a number that is not finite, for a program that looks at frames in both
 * directions. */
#ifndef MSA_WHERE_H
#define MSA_WHERE_H

#include "common/stream/finite.h"
#include <stdio.h>

struct where {
    struct msa *m;
    const char *tensors; /* names, comma-separated; NULL: all, and losses and weights */
    struct record asked; /* of the last record what tells its samples */
    msgpack_object_kv pairs[BODY_PAIRS];
};

/* Looks for NaN and infinities in a frame. Where there are, prints a line, "frame 17 (D): epoch 1,
 * step 3 (train): tensor 'h_text' with nan at [2,17], in samples 2 'clip_2'", and returns true.
 * Fails the run with MSA_CORRUPT where a record is none. */
bool where_nonfinite(struct where *w, FILE *to, const struct frame *f, bool back);

/* With --check-finite, fails the run where there are (record_check_finite). */
void where_check(struct where *w, const struct frame *f, bool back);

#endif
