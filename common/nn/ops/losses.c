/* Operations that end in a number: those of msa-model(7), Losses. */
#include "common/nn/ops/ops_internal.h"

static struct var *scalar(struct tape *t, const struct var *x)
{
    return tape_var(t, x->wants, 1, (size_t[]){1});
}

struct regression_node {
    struct node node;
    struct var *loss, *y;
    const float *target, *weight;
    enum regression kind;
    float phi;
};

static void regression_backward(struct tape *t, struct node *node)
{
    struct regression_node *n = (struct regression_node *)node;
    const float *dloss = tape_gradient(n->loss);
    bool add;
    float *dy = dloss ? tape_into(t, n->y, &add) : NULL;
    if (dy)
        K.regression_backward(t->device, dy, dloss, n->y->data, n->target, n->weight, n->y->count,
                              n->kind, n->phi, add);
}

struct var *op_regression(struct tape *t, struct var *y, const float *target, const float *weight,
                          enum regression kind, float phi)
{
    struct regression_node *n = tape_node(t, sizeof *n, regression_backward);
    n->y = y, n->target = target, n->weight = weight, n->kind = kind, n->phi = phi;
    n->loss = scalar(t, y);
    K.regression_forward(t->device, n->loss->data, y->data, target, weight, y->count, kind, phi);
    return n->loss;
}

struct cross_entropy {
    struct node node;
    struct var *loss, *logits;
    const int32_t *class_of;
};

static void cross_entropy_backward(struct tape *t, struct node *node)
{
    struct cross_entropy *n = (struct cross_entropy *)node;
    const float *dloss = tape_gradient(n->loss);
    bool add;
    float *dlogits = dloss ? tape_into(t, n->logits, &add) : NULL;
    if (dlogits)
        K.cross_entropy_backward(t->device, dlogits, dloss, n->logits->data, n->class_of,
                                 n->logits->shape[0], n->logits->shape[1], add);
}

struct var *op_cross_entropy(struct tape *t, struct var *logits, const int32_t *class_of)
{
    struct cross_entropy *n = tape_node(t, sizeof *n, cross_entropy_backward);
    n->logits = logits, n->class_of = class_of;
    n->loss = scalar(t, logits);
    K.cross_entropy_forward(t->device, n->loss->data, logits->data, class_of, logits->shape[0],
                            logits->shape[1]);
    return n->loss;
}

/* One column of the cosines: those of the anchor with one other. */
struct cosine {
    struct node node;
    struct var *c, *a, *b;
    size_t at;
};

static void cosine_backward(struct tape *t, struct node *node)
{
    struct cosine *n = (struct cosine *)node;
    const float *dc = tape_gradient(n->c);
    bool add_a, add_b;
    if (!dc)
        return;
    float *da = tape_into(t, n->a, &add_a), *db = tape_into(t, n->b, &add_b);
    K.cosine_backward(t->device, da, db, dc, n->a->data, n->b->data, n->a->shape[0], n->a->shape[1],
                      n->c->shape[1], n->at, add_a, add_b);
}

struct var *op_cosines(struct tape *t, struct var *anchor, int count, struct var *const *others)
{
    bool wants = anchor->wants;
    for (int i = 0; i < count; i++)
        wants = wants || others[i]->wants;
    struct var *c = tape_var(t, wants, 2, (size_t[]){anchor->shape[0], (size_t)count});
    for (int i = 0; i < count; i++) {
        struct cosine *n = tape_node(t, sizeof *n, cosine_backward);
        n->c = c, n->a = anchor, n->b = others[i], n->at = (size_t)i;
        K.cosine_forward(t->device, c->data, anchor->data, others[i]->data, anchor->shape[0],
                         anchor->shape[1], (size_t)count, n->at);
    }
    return c;
}

struct contrast_node {
    struct node node;
    struct var *loss, *c;
    size_t positives;
    enum contrast kind;
    float tau;
};

static void contrast_backward(struct tape *t, struct node *node)
{
    struct contrast_node *n = (struct contrast_node *)node;
    const float *dloss = tape_gradient(n->loss);
    bool add;
    float *dc = dloss ? tape_into(t, n->c, &add) : NULL;
    if (dc)
        K.contrast_backward(t->device, dc, dloss, n->c->data, n->c->shape[0], n->positives,
                            n->c->shape[1] - n->positives, n->kind, n->tau, add);
}

struct var *op_contrast(struct tape *t, struct var *cosines, size_t positives, enum contrast kind,
                        float tau)
{
    struct contrast_node *n = tape_node(t, sizeof *n, contrast_backward);
    n->c = cosines, n->positives = positives, n->kind = kind, n->tau = tau;
    n->loss = scalar(t, cosines);
    K.contrast_forward(t->device, n->loss->data, cosines->data, cosines->shape[0], positives,
                       cosines->shape[1] - positives, kind, tau);
    return n->loss;
}
