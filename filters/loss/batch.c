/* Means over a batch, and of all its numbers. */
#include "filters/loss/batch.h"

struct var *batch_minus(struct tape *t, struct var *a, struct var *b)
{
    return op_add(t, a, op_affine(t, b, -1, 0), BROADCAST_NONE);
}

struct var *batch_mean(struct tape *t, struct var *x)
{
    return op_mean(t, x, 1, NULL);
}

struct var *batch_centred(struct tape *t, struct var *x)
{
    return op_add(t, x, op_affine(t, batch_mean(t, x), -1, 0), BROADCAST_ROW);
}

/* By columns first, and of these. */
struct var *batch_mean_of_all(struct tape *t, struct var *x)
{
    size_t columns = x->shape[x->rank - 1], one = 1;
    struct var *mean = tape_view(t, batch_mean(t, x), 2, (size_t[]){columns, 1});
    return tape_view(t, batch_mean(t, mean), 1, &one);
}

struct var *batch_mean_square(struct tape *t, struct var *x)
{
    return batch_mean_of_all(t, op_multiply(t, x, x, BROADCAST_NONE));
}
