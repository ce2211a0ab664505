/* The products of which matmul and its gradients consist, for the host of every device. */
#ifndef MSA_PRODUCTS_H
#define MSA_PRODUCTS_H

#include "kernels/kernels.h"

/* op(left)[m,k] op(right)[k,n], `batch` of them; op transposes for 'T' and not for 'N'. */
struct product {
    const float *left, *right;
    char op_left, op_right;
    size_t batch, m, n, k;
};

/* The lengths of the rows as they are stored; the result's is n. */
static inline size_t left_row(const struct product *p)
{
    return p->op_left == 'T' ? p->m : p->k;
}

static inline size_t right_row(const struct product *p)
{
    return p->op_right == 'T' ? p->k : p->n;
}

static inline char op_of(bool turn)
{
    return turn ? 'T' : 'N';
}

static inline struct product product_forward(const float *a, const float *b, const struct matmul *s)
{
    struct product p = {a, b, op_of(s->turn_a), op_of(s->turn_b), s->batch, s->m, s->n, s->k};
    return p;
}

/* The gradient by a as it is stored: dy op(b)^T, or, turned, op(b) dy^T. */
static inline struct product product_by_a(const float *dy, const float *b, const struct matmul *s)
{
    struct product plain = {dy, b, 'N', op_of(!s->turn_b), s->batch, s->m, s->k, s->n};
    struct product turned = {b, dy, op_of(s->turn_b), 'T', s->batch, s->k, s->m, s->n};
    return s->turn_a ? turned : plain;
}

/* … and by b: op(a)^T dy, or dy^T op(a). */
static inline struct product product_by_b(const float *dy, const float *a, const struct matmul *s)
{
    struct product plain = {a, dy, op_of(!s->turn_a), 'N', s->batch, s->k, s->n, s->m};
    struct product turned = {dy, a, 'T', op_of(s->turn_a), s->batch, s->n, s->k, s->m};
    return s->turn_b ? turned : plain;
}

#endif
