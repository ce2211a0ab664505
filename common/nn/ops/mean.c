/* The mean over the rows of a sequence. */
#include "common/nn/ops/ops_internal.h"

struct mean {
    struct node node;
    struct var *y, *x;
    size_t batch;
    const int32_t *spans;
};

static void mean_backward(struct tape *t, struct node *node)
{
    struct mean *n = (struct mean *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.mean_backward(t->device, dx, dy, n->spans, n->batch, rows_of(n->x), last_of(n->x), add);
}

struct var *op_mean(struct tape *t, struct var *x, size_t batch, const int32_t *spans)
{
    struct mean *n = tape_node(t, sizeof *n, mean_backward);
    n->x = x, n->batch = batch, n->spans = spans;
    n->y = tape_var(t, x->wants, 2, (size_t[]){batch, last_of(x)});
    K.mean_forward(t->device, n->y->data, x->data, spans, batch, rows_of(x), last_of(x));
    return n->y;
}
