/* A product with a matrix of weights, and a bias. */
#include "common/nn/ops/ops_internal.h"

struct linear {
    struct node node;
    struct var *y, *x, *w, *b;
};

static void linear_backward(struct tape *t, struct node *node)
{
    struct linear *n = (struct linear *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    if (!dy)
        return;
    float *dw = tape_added(t, n->w), *db = tape_added(t, n->b);
    float *dx = tape_into(t, n->x, &add);
    K.linear_backward(t->device, dx, dw, db, dy, n->x->data, n->w->data, rows_of(n->x),
                      last_of(n->x), last_of(n->y), add);
}

struct var *op_linear(struct tape *t, struct var *x, struct var *w, struct var *b)
{
    struct linear *n = tape_node(t, sizeof *n, linear_backward);
    n->x = x, n->w = w, n->b = b;
    n->y = like(t, x, w->shape[0], x->wants || w->wants || (b && b->wants));
    K.linear_forward(t->device, n->y->data, x->data, w->data, b ? b->data : NULL, rows_of(x),
                     last_of(x), last_of(n->y));
    return n->y;
}
