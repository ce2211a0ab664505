/* Parts side by side. */
#include "common/nn/ops/ops_internal.h"

/* One part of a concatenation: columns `at` and on of y. */
struct part {
    struct node node;
    struct var *y, *x;
    size_t at;
};

static void columns_backward(struct tape *t, struct node *node)
{
    struct part *n = (struct part *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.columns_backward(t->device, dx, dy, rows_of(n->x), last_of(n->y), n->at, last_of(n->x),
                           add);
}

struct var *op_concat(struct tape *t, int count, struct var *const *parts)
{
    size_t total = 0, at = 0;
    bool wants = false;
    for (int i = 0; i < count; i++) {
        total += last_of(parts[i]);
        wants = wants || parts[i]->wants;
    }
    struct var *y = like(t, parts[0], total, wants);
    for (int i = 0; i < count; at += last_of(parts[i++])) {
        struct part *n = tape_node(t, sizeof *n, columns_backward);
        n->y = y, n->x = parts[i], n->at = at;
        K.columns_forward(t->device, y->data, n->x->data, rows_of(y), total, at, last_of(n->x));
    }
    return y;
}
