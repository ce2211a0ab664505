/* What losses of a whole batch share. */
#ifndef MSA_LOSS_BATCH_H
#define MSA_LOSS_BATCH_H

#include "common/nn/ops/ops.h"

/* a - b, of one shape */
struct var *batch_minus(struct tape *t, struct var *a, struct var *b);
/* x [B,N] -> the mean over the batch, [1,N] */
struct var *batch_mean(struct tape *t, struct var *x);
/* x [B,N] - that */
struct var *batch_centred(struct tape *t, struct var *x);
/* x of any shape -> the mean of all its numbers, [1] */
struct var *batch_mean_of_all(struct tape *t, struct var *x);
/* … and of their squares */
struct var *batch_mean_square(struct tape *t, struct var *x);

#endif
