/* Normalization of columns over a batch. */
#include "common/nn/ops/ops_internal.h"

struct batch_norm {
    struct node node;
    struct var *y, *x, *gain, *bias;
    float *mean, *rstd;
    bool own;
};

static void batch_norm_backward(struct tape *t, struct node *node)
{
    struct batch_norm *n = (struct batch_norm *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    if (!dy)
        return;
    float *dgain = tape_added(t, n->gain), *dbias = tape_added(t, n->bias);
    float *dx = tape_into(t, n->x, &add);
    K.batch_norm_backward(t->device, dx, dgain, dbias, dy, n->x->data, n->mean, n->rstd,
                          n->gain->data, rows_of(n->x), last_of(n->x), n->own, add);
}

struct var *op_batch_norm(struct tape *t, struct var *x, struct var *gain, struct var *bias,
                          struct running running, float eps, float momentum)
{
    struct batch_norm *n = tape_node(t, sizeof *n, batch_norm_backward);
    size_t rows = rows_of(x), dim = last_of(x);
    n->x = x, n->gain = gain, n->bias = bias, n->own = t->train && rows > 1;
    n->y = tape_var(t, x->wants || gain->wants || bias->wants, x->rank, x->shape);
    n->mean = tape_take(t, dim * sizeof(float));
    n->rstd = tape_take(t, dim * sizeof(float));
    K.batch_norm_forward(t->device, n->y->data, n->mean, n->rstd, running.mean->data,
                         running.var->data, x->data, gain->data, bias->data, rows, dim, eps,
                         momentum, n->own);
    return n->y;
}
