/* Convolution along the frames of sequences. */
#include "common/nn/ops/ops_internal.h"

struct conv_node {
    struct node node;
    struct var *y, *x, *w;
    struct conv shape;
};

static void conv_backward(struct tape *t, struct node *node)
{
    struct conv_node *n = (struct conv_node *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    if (!dy)
        return;
    float *dx = tape_into(t, n->x, &add), *dw = tape_added(t, n->w);
    K.conv_backward(t->device, dx, dw, dy, n->x->data, n->w->data, &n->shape, add);
}

struct var *op_conv(struct tape *t, struct var *x, struct var *w)
{
    struct conv_node *n = tape_node(t, sizeof *n, conv_backward);
    struct conv s = {x->shape[0], x->shape[1], x->shape[2], w->shape[0], w->shape[2]};
    if (s.length < s.width)
        msa_fail(t->m, MSA_FAILED, "a convolution by windows of %zu frames, but there are %zu",
                 s.width, s.length);
    n->x = x, n->w = w, n->shape = s;
    n->y = tape_var(t, x->wants || w->wants, 3, (size_t[]){s.batch, s.length - s.width + 1, s.dim});
    K.conv_forward(t->device, n->y->data, x->data, w->data, &n->shape);
    return n->y;
}
