/* A linear layer on the outer product of vectors. */
#include "common/nn/ops/ops_internal.h"

struct fusion {
    struct node node;
    struct var *y, *x[FUSED], *w, *b; /* x: from the first on that there is none of, NULL */
    struct tensor_fusion shape;
    struct dropout drop;
};

static const float *data_of(const struct var *x)
{
    return x ? x->data : NULL;
}

static void fusion_backward(struct tape *t, struct node *node)
{
    struct fusion *n = (struct fusion *)node;
    const float *dy = tape_gradient(n->y);
    bool add[FUSED];
    float *dx[FUSED];
    if (!dy)
        return;
    float *dw = tape_added(t, n->w), *db = tape_added(t, n->b);
    for (int i = 0; i < FUSED; i++)
        dx[i] = tape_into(t, n->x[i], &add[i]);
    K.tensor_fusion_backward(t->device, dx[0], dx[1], dx[2], dw, db, dy, data_of(n->x[0]),
                             data_of(n->x[1]), n->x[2]->data, n->w->data, &n->shape, &n->drop,
                             add[0], add[1], add[2]);
}

/* The last vector is the kernel's last one, which comes first where nothing is dropped; in front of
 * two there is one of no numbers. */
static void place(struct fusion *n, int count, struct var *const *parts)
{
    size_t *widths[FUSED] = {&n->shape.a, &n->shape.v, &n->shape.t};
    for (int i = 0; i < count; i++) {
        n->x[FUSED - count + i] = parts[i];
        *widths[FUSED - count + i] = last_of(parts[i]);
    }
}

struct var *op_tensor_fusion(struct tape *t, int count, struct var *const *parts, struct var *w,
                             struct var *b, struct dropout drop)
{
    struct fusion *n = tape_node(t, sizeof *n, fusion_backward);
    bool wants = w->wants || b->wants;
    n->shape.batch = rows_of(parts[0]), n->shape.out = w->shape[0];
    n->w = w, n->b = b, n->drop = drop;
    place(n, count, parts);
    for (int i = 0; i < count; i++)
        wants = wants || parts[i]->wants;
    n->y = tape_var(t, wants, 2, (size_t[]){n->shape.batch, n->shape.out});
    K.tensor_fusion_forward(t->device, n->y->data, data_of(n->x[0]), data_of(n->x[1]),
                            n->x[2]->data, w->data, b->data, &n->shape, &drop);
    return n->y;
}
