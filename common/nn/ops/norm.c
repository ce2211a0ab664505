/* Normalization of rows. */
#include "common/nn/ops/ops_internal.h"

struct norm {
    struct node node;
    struct var *y, *x, *z, *gain, *bias;
    float *sum, *mean, *rstd;
    struct dropout drop;
};

static void norm_backward(struct tape *t, struct node *node)
{
    struct norm *n = (struct norm *)node;
    const float *dy = tape_gradient(n->y);
    bool add_x, add_z;
    if (!dy)
        return;
    float *dgain = tape_added(t, n->gain), *dbias = tape_added(t, n->bias);
    float *dx = tape_into(t, n->x, &add_x), *dz = tape_into(t, n->z, &add_z);
    K.norm_backward(t->device, dx, dz, dgain, dbias, dy, n->z ? n->sum : n->x->data, n->mean,
                    n->rstd, n->gain->data, rows_of(n->x), last_of(n->x), &n->drop, add_x, add_z);
}

struct var *op_norm(struct tape *t, struct var *x, struct var *z, struct var *gain,
                    struct var *bias, float eps, struct dropout drop)
{
    struct norm *n = tape_node(t, sizeof *n, norm_backward);
    n->x = x, n->z = z, n->gain = gain, n->bias = bias, n->drop = drop;
    n->y =
        tape_var(t, x->wants || (z && z->wants) || gain->wants || bias->wants, x->rank, x->shape);
    n->mean = tape_take(t, rows_of(x) * sizeof(float));
    n->rstd = tape_take(t, rows_of(x) * sizeof(float));
    n->sum = z ? tape_take(t, x->count * sizeof(float)) : NULL;
    K.norm_forward(t->device, n->y->data, n->sum, n->mean, n->rstd, x->data, z ? z->data : NULL,
                   gain->data, bias->data, rows_of(x), last_of(x), eps, &n->drop);
    return n->y;
}
