/* Attention of the rows of a sequence to one another. */
#include "common/nn/ops/ops_internal.h"

struct attention {
    struct node node;
    struct var *y, *qkv;
    struct sequences samples;
    size_t heads;
    float *lse;
    struct dropout drop;
};

static void attention_backward(struct tape *t, struct node *node)
{
    struct attention *n = (struct attention *)node;
    const struct sequences *s = &n->samples;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dqkv = dy ? tape_into(t, n->qkv, &add) : NULL;
    if (dqkv)
        K.attention_backward(t->device, dqkv, dy, n->y->data, n->lse, n->qkv->data, s->pad,
                             s->spans, s->batch, s->length, last_of(n->y), n->heads, &n->drop, add);
}

struct var *op_attention(struct tape *t, struct var *qkv, struct sequences s, size_t heads,
                         struct dropout drop)
{
    struct attention *n = tape_node(t, sizeof *n, attention_backward);
    size_t dim = last_of(qkv) / 3;
    n->qkv = qkv, n->samples = s, n->heads = heads, n->drop = drop;
    n->y = like(t, qkv, dim, qkv->wants);
    n->lse = tape_take(t, s.batch * heads * s.length * sizeof(float));
    K.attention_forward(t->device, n->y->data, n->lse, qkv->data, s.pad, s.spans, s.batch, s.length,
                        dim, heads, &n->drop);
    return n->y;
}
