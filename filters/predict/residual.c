/* f [B,D] -> two layers around which it goes too, and a last one -> sentiment y [B]: MulT's
 * (msa-model(7), Heads). */
#include "filters/predict/predict.h"

struct residual {
    struct linear_layer inside, outside, last;
    float dropout;
    struct results results;
};

static void build(struct part *p)
{
    struct residual *h = p->self;
    struct trainable *t = p->t;
    size_t dim = predict_reads_fused(t)->shape[1];
    h->inside = linear_layer(&t->params, "proj1", dim, dim);
    h->outside = linear_layer(&t->params, "proj2", dim, dim);
    h->last = linear_layer(&t->params, "out_layer", dim, 1);
    h->dropout = predict_hidden_dropout(t);
    results_build(p, &h->results, dim);
}

static void forward(struct part *p)
{
    const struct residual *h = p->self;
    struct tape *t = &p->t->tape;
    struct var *f = trainable_input(p->t, "f");
    struct var *x =
        op_relu(t, linear_apply(t, &h->inside, f), dropout_at(t, h->dropout, "proj1", "hidden"));
    x = op_add(t, f, linear_apply(t, &h->outside, x), BROADCAST_NONE);
    results_make(p, &h->results, x, linear_apply(t, &h->last, x));
}

const struct model predict_residual = {
    .is = {.name = "residual",
           .summary = "sentiment from one vector of all modalities, by two layers beside it and a "
                      "last one: MulT's head",
           .reads = "f [B,D]",
           .adds = "y [B]"},
    .size = sizeof(struct residual),
    .build = build,
    .forward = forward};
