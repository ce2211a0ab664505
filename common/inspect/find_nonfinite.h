/* The first frame with a number that is not finite, for a program that looks at frames in both
 * directions. */
#ifndef MSA_FIND_NONFINITE_H
#define MSA_FIND_NONFINITE_H

#include "common/stream/finite.h"
#include <stdio.h>

struct where {
    struct msa *m;
    const char *tensors; /* of records, names, comma-separated; NULL: all, and all else */
    struct record asked; /* of the last record what tells its samples */
};

/* Looks for NaN and infinities in a frame: in tensors, losses and weights of a record, and in all
 * numbers of another frame, tensors too, but that a score of an M may be NaN. Where there are,
 * prints a line, "frame 17 (D): epoch 1, step 3 (train): tensor 'h_text' with nan at [2,17], in
 * samples 2 'clip_2'" or "frame 18 (C): 'state.4:a.x' with inf at [1]", and returns true.
 * Fails the run with MSA_CORRUPT where a record is none. */
bool where_nonfinite(struct where *w, FILE *to, const struct frame *f, bool back);

/* With --check-finite, fails the run where there are (record_check_finite). */
void where_check(struct where *w, const struct frame *f, bool back);

#endif
