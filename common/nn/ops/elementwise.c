/* Operations on each element by itself. */
#include "common/nn/ops/ops_internal.h"
#include "common/run/random.h"
#include <math.h>
#include <stdio.h>

struct dropout dropout_at(const struct tape *t, float rate, const char *layer, const char *place)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", layer, place);
    return (struct dropout){
        .rate = t->train ? rate : 0, .seed = t->seed, .step = t->step, .site = random_name(name)};
}

/* An operation on each element by itself, with dropout: its two kernels. */
typedef void forward_kernel(struct device *d, float *y, const float *x, size_t n,
                            const struct dropout *drop);
typedef void backward_kernel(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                             const struct dropout *drop, bool add);

struct elementwise {
    struct node node;
    struct var *y, *x;
    struct dropout drop;
    backward_kernel *backward;
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

static struct var *elementwise(struct tape *t, struct var *x, struct dropout drop,
                               forward_kernel *forward, backward_kernel *backward)
{
    struct elementwise *n = tape_node(t, sizeof *n, elementwise_backward);
    n->x = x, n->drop = drop, n->backward = backward;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}

struct var *op_gelu(struct tape *t, struct var *x, struct dropout drop)
{
    return elementwise(t, x, drop, K.gelu_forward, K.gelu_backward);
}

struct var *op_tanh(struct tape *t, struct var *x, struct dropout drop)
{
    return elementwise(t, x, drop, K.tanh_forward, K.tanh_backward);
}

struct var *op_relu(struct tape *t, struct var *x, struct dropout drop)
{
    return elementwise(t, x, drop, K.relu_forward, K.relu_backward);
}

struct var *op_sigmoid(struct tape *t, struct var *x, struct dropout drop)
{
    return elementwise(t, x, drop, K.sigmoid_forward, K.sigmoid_backward);
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

struct affine {
    struct node node;
    struct var *y, *x;
    float scale, shift, low, high;
};

static void affine_backward(struct tape *t, struct node *node)
{
    struct affine *n = (struct affine *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.affine_backward(t->device, dx, dy, n->x->data, n->x->count, n->scale, n->shift, n->low,
                          n->high, add);
}

static struct var *affine(struct tape *t, struct var *x, float scale, float shift, float low,
                          float high)
{
    struct affine *n = tape_node(t, sizeof *n, affine_backward);
    n->x = x, n->scale = scale, n->shift = shift, n->low = low, n->high = high;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    K.affine_forward(t->device, n->y->data, x->data, x->count, scale, shift, low, high);
    return n->y;
}

struct var *op_affine(struct tape *t, struct var *x, float scale, float shift)
{
    return affine(t, x, scale, shift, -INFINITY, INFINITY);
}

struct var *op_clamp(struct tape *t, struct var *x, float low, float high)
{
    return affine(t, x, 1, 0, low, high);
}

struct number {
    struct node node;
    struct var *y, *x;
};

static void number_backward(struct tape *t, struct node *node)
{
    struct number *n = (struct number *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.number_backward(t->device, dx, dy, n->x->data, n->x->count, add);
}

struct var *op_number(struct tape *t, struct var *x)
{
    struct number *n = tape_node(t, sizeof *n, number_backward);
    n->x = x;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    K.number_forward(t->device, n->y->data, x->data, x->count);
    return n->y;
}
