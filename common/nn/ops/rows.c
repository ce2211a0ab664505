/* Softmax and Euclidean norm of each row. */
#include "common/nn/ops/ops_internal.h"

struct row_node {
    struct node node;
    struct var *y, *x;
};

static void softmax_backward(struct tape *t, struct node *node)
{
    struct row_node *n = (struct row_node *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.softmax_backward(t->device, dx, dy, n->y->data, rows_of(n->x), last_of(n->x), add);
}

struct var *op_softmax(struct tape *t, struct var *x)
{
    struct row_node *n = tape_node(t, sizeof *n, softmax_backward);
    n->x = x;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    K.softmax_forward(t->device, n->y->data, x->data, rows_of(x), last_of(x));
    return n->y;
}

static void euclidean_backward(struct tape *t, struct node *node)
{
    struct row_node *n = (struct row_node *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.euclidean_backward(t->device, dx, dy, n->x->data, n->y->data, rows_of(n->x),
                             last_of(n->x), add);
}

struct var *op_euclidean(struct tape *t, struct var *x, float at_zero)
{
    struct row_node *n = tape_node(t, sizeof *n, euclidean_backward);
    n->x = x;
    n->y = tape_var(t, x->wants, 1, (size_t[]){rows_of(x)});
    K.euclidean_forward(t->device, n->y->data, x->data, rows_of(x), last_of(x), at_zero);
    return n->y;
}
