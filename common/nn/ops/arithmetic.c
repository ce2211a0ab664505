/* Sums, products and quotients of two variables. */
#include "common/nn/ops/ops_internal.h"

struct arithmetic_node {
    struct node node;
    struct var *y, *a, *b;
    struct arithmetic shape;
};

static void arithmetic_backward(struct tape *t, struct node *node)
{
    struct arithmetic_node *n = (struct arithmetic_node *)node;
    const float *dy = tape_gradient(n->y);
    bool add_a, add_b;
    if (!dy)
        return;
    float *da = tape_into(t, n->a, &add_a), *db = tape_into(t, n->b, &add_b);
    K.arithmetic_backward(t->device, da, db, dy, n->a->data, n->b->data, &n->shape, add_a, add_b);
}

/* How many numbers b has. */
static size_t count_of(const struct arithmetic *shape)
{
    switch (shape->b) {
    case BROADCAST_ROW:
        return shape->cols;
    case BROADCAST_COLUMN:
        return shape->rows;
    case BROADCAST_NUMBER:
        return 1;
    default:
        return shape->rows * shape->cols;
    }
}

static void check_size(struct tape *t, const struct var *a, const struct var *b, size_t expected)
{
    char one[128], other[128];
    if (b->count != expected)
        msa_fail(t->m, MSA_FAILED, "an operand %s beside %s: %zu numbers but expected %zu",
                 tensor_shape_text(one, b->rank, b->shape),
                 tensor_shape_text(other, a->rank, a->shape), b->count, expected);
}

static struct var *arithmetic(struct tape *t, struct var *a, struct var *b, enum operation kind,
                              enum broadcast how, float eps)
{
    struct arithmetic_node *n = tape_node(t, sizeof *n, arithmetic_backward);
    n->a = a, n->b = b;
    n->shape = (struct arithmetic){rows_of(a), last_of(a), kind, how, eps};
    check_size(t, a, b, count_of(&n->shape));
    n->y = tape_var(t, a->wants || b->wants, a->rank, a->shape);
    K.arithmetic_forward(t->device, n->y->data, a->data, b->data, &n->shape);
    return n->y;
}

struct var *op_add(struct tape *t, struct var *a, struct var *b, enum broadcast how)
{
    return arithmetic(t, a, b, OPERATION_ADD, how, 0);
}

struct var *op_multiply(struct tape *t, struct var *a, struct var *b, enum broadcast how)
{
    return arithmetic(t, a, b, OPERATION_MULTIPLY, how, 0);
}

struct var *op_divide(struct tape *t, struct var *a, struct var *b, enum broadcast how, float eps)
{
    return arithmetic(t, a, b, OPERATION_DIVIDE, how, eps);
}
