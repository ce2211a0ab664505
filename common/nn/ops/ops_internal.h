/* What the files of ops.h share. */
#ifndef MSA_OPS_INTERNAL_H
#define MSA_OPS_INTERNAL_H

#include "common/nn/ops/ops.h"

#define K (t->device->k)

static inline size_t last_of(const struct var *x)
{
    return x->shape[x->rank - 1];
}

/* The product of all dimensions but the last so many. */
static inline size_t outer_of(const struct var *x, int inner)
{
    size_t count = 1;
    for (int i = 0; i < x->rank - inner; i++)
        count *= x->shape[i];
    return count;
}

static inline size_t rows_of(const struct var *x)
{
    return outer_of(x, 1);
}

/* A result like x, but with that last dimension. */
static inline struct var *like(struct tape *t, const struct var *x, size_t last, bool wants)
{
    size_t shape[VAR_RANK];
    for (int i = 0; i < x->rank; i++)
        shape[i] = x->shape[i];
    shape[x->rank - 1] = last;
    return tape_var(t, wants, x->rank, shape);
}

#endif
