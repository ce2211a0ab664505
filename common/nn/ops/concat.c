/* Parts side by side, and one of them. */
#include "common/nn/ops/ops_internal.h"

/* One part: x is columns `at` and on of y, or of op_columns the other way round. */
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
        K.columns_forward(t->device, y->data, n->x->data, rows_of(y), total, at, last_of(n->x),
                          false);
    }
    return y;
}

/* The other way round. */
static void part_backward(struct tape *t, struct node *node)
{
    struct part *n = (struct part *)node;
    const float *dy = tape_gradient(n->y);
    float *dx = dy ? tape_added(t, n->x) : NULL;
    if (dx)
        K.columns_forward(t->device, dx, dy, rows_of(n->x), last_of(n->x), n->at, last_of(n->y),
                          true);
}

struct var *op_columns(struct tape *t, struct columns from, size_t width)
{
    struct part *n = tape_node(t, sizeof *n, part_backward);
    size_t total = last_of(from.x);
    if (from.at > total || width > total - from.at)
        msa_fail(t->m, MSA_FAILED, "%zu columns from %zu on, but there are %zu", width, from.at,
                 total);
    n->x = from.x, n->at = from.at;
    n->y = like(t, from.x, width, from.x->wants);
    K.columns_backward(t->device, n->y->data, from.x->data, rows_of(from.x), total, from.at, width,
                       false);
    return n->y;
}
