/* All h_* side by side -> Linear, ReLU -> f [B,D]: LF-DNN's (msa-model(7), Fusion). */
#include "common/nn/layers/linear.h"
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"

static const char prefix[] = "post_fusion_layer_1";

struct concat {
    struct fused vectors;
    struct linear_layer layer;
    float dropout;
};

static void build(struct part *p)
{
    struct concat *c = p->self;
    c->vectors = fuse_vectors(p->t);
    c->dropout = fuse_dropout(p->t);
    c->layer = linear_layer(&p->t->params, prefix, c->vectors.width, fuse_adds(p->t, 128));
}

static void forward(struct part *p)
{
    const struct concat *c = p->self;
    struct tape *tape = &p->t->tape;
    struct var *taken[MODALITIES];
    fuse_take(p->t, &c->vectors, taken);
    struct var *x = op_concat(tape, c->vectors.count, taken);
    x = op_dropout(tape, x, dropout_at(tape, c->dropout, prefix, "input"));
    x = linear_apply(tape, &c->layer, x);
    trainable_output(p->t, "f", op_relu(tape, x, (struct dropout){0}));
}

const struct model fuse_concat = {
    .is = {.name = "concat",
           .summary = "the vectors side by side, through one layer: LF-DNN's fusion",
           .reads = "h_MODALITY [B,D]",
           .adds = "f [B,D]",
           .takes = "order,out,dropout"},
    .size = sizeof(struct concat),
    .build = build,
    .forward = forward};
