/* Operations on each element by itself, with dropout. */
#include "common/nn/ops/ops_internal.h"
#include "common/run/random.h"
#include <stdio.h>

struct dropout dropout_at(const struct tape *t, float rate, const char *layer, const char *place)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", layer, place);
    return (struct dropout){
        .rate = t->train ? rate : 0, .seed = t->seed, .step = t->step, .site = random_name(name)};
}

/* An operation on each element by itself, with dropout: its two kernels. */
struct elementwise {
    struct node node;
    struct var *y, *x;
    struct dropout drop;
    void (*backward)(struct device *, float *, const float *, const float *, size_t,
                     const struct dropout *, bool);
};

static void elementwise_backward(struct tape *t, struct node *node)
{
    struct elementwise *n = (struct elementwise *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        n->backward(t->device, dx, dy, n->x->data, n->x->count, &n->drop, add);
}

static struct elementwise *elementwise(struct tape *t, struct var *x, struct dropout drop)
{
    struct elementwise *n = tape_node(t, sizeof *n, elementwise_backward);
    n->x = x, n->drop = drop;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    return n;
}

struct var *op_gelu(struct tape *t, struct var *x, struct dropout drop)
{
    struct elementwise *n = elementwise(t, x, drop);
    n->backward = K.gelu_backward;
    K.gelu_forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}

struct var *op_tanh(struct tape *t, struct var *x, struct dropout drop)
{
    struct elementwise *n = elementwise(t, x, drop);
    n->backward = K.tanh_backward;
    K.tanh_forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}

struct masked {
    struct node node;
    struct var *y, *x;
    struct dropout drop;
};

static void dropout_backward(struct tape *t, struct node *node)
{
    struct masked *n = (struct masked *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.dropout_backward(t->device, dx, dy, n->x->count, &n->drop, add);
}

struct var *op_dropout(struct tape *t, struct var *x, struct dropout drop)
{
    if (drop.rate <= 0)
        return x;
    struct masked *n = tape_node(t, sizeof *n, dropout_backward);
    n->x = x, n->drop = drop;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    K.dropout_forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}
