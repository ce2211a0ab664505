/* f [B,D] -> one linear layer -> sentiment y [B]: MAG-BERT's (msa-model(7), Heads). */
#include "filters/predict/predict.h"

static const char prefix[] = "model.classifier";
static const float DEVIATION = .02F; /* as BERT's weights start */

struct linear {
    struct linear_layer layer;
    float dropout;
    struct results results;
};

static void build(struct part *p)
{
    struct linear *l = p->self;
    struct trainable *t = p->t;
    size_t in = predict_reads_fused(t)->shape[1];
    l->layer = linear_drawn(&t->params, prefix, in, 1, init_normal(DEVIATION), init_constant(0));
    l->dropout = predict_hidden_dropout(t);
    results_build(p, &l->results, in);
}

static void forward(struct part *p)
{
    const struct linear *l = p->self;
    struct tape *t = &p->t->tape;
    struct var *f =
        op_dropout(t, trainable_input(p->t, "f"), dropout_at(t, l->dropout, prefix, "input"));
    results_make(p, &l->results, f, linear_apply(t, &l->layer, f));
}

const struct model predict_linear = {
    .is = {.name = "linear",
           .summary = "sentiment from one vector by one layer, with dropout in front: MAG-BERT's",
           .reads = "f [B,D]",
           .adds = "y [B]"},
    .size = sizeof(struct linear),
    .build = build,
    .forward = forward};
