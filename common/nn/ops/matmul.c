/* Products of batches of matrices. */
#include "common/nn/ops/ops_internal.h"
#include <string.h>

struct matmul_node {
    struct node node;
    struct var *y, *a, *b;
    struct matmul shape;
};

static void matmul_backward(struct tape *t, struct node *node)
{
    struct matmul_node *n = (struct matmul_node *)node;
    const float *dy = tape_gradient(n->y);
    bool add_a, add_b;
    if (!dy)
        return;
    float *da = tape_into(t, n->a, &add_a), *db = tape_into(t, n->b, &add_b);
    K.matmul_backward(t->device, da, db, dy, n->a->data, n->b->data, &n->shape, add_a, add_b);
}

/* Of op(x)'s matrices [r,c], r or c. */
static size_t side_of(const struct var *x, bool turn, bool columns)
{
    return x->shape[x->rank - (columns != turn ? 1 : 2)];
}

static struct matmul shape_of(struct tape *t, const struct var *a, const struct var *b, bool turn_a,
                              bool turn_b)
{
    char one[128], other[128];
    size_t m = side_of(a, turn_a, false), k = side_of(a, turn_a, true),
           n = side_of(b, turn_b, true), batch = outer_of(a, 2);
    if (side_of(b, turn_b, false) != k || b->count != batch * k * n)
        msa_fail(t->m, MSA_FAILED, "no product of %s and %s",
                 tensor_shape_text(one, a->rank, a->shape),
                 tensor_shape_text(other, b->rank, b->shape));
    return (struct matmul){batch, m, n, k, turn_a, turn_b};
}

struct var *op_matmul(struct tape *t, struct var *a, struct var *b, bool turn_a, bool turn_b)
{
    struct matmul_node *n = tape_node(t, sizeof *n, matmul_backward);
    size_t shape[VAR_RANK];
    n->a = a, n->b = b, n->shape = shape_of(t, a, b, turn_a, turn_b);
    memcpy(shape, a->shape, sizeof shape);
    shape[a->rank - 2] = n->shape.m, shape[a->rank - 1] = n->shape.n;
    n->y = tape_var(t, a->wants || b->wants, a->rank, shape);
    K.matmul_forward(t->device, n->y->data, a->data, b->data, &n->shape);
    return n->y;
}
