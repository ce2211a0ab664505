/* The outer product of all h_* [B,D], a 1 in front of each -> Linear, ReLU -> f [B,D]: TFN's
 * (msa-model(7), Fusion). */
#include "common/nn/layers/tensor_fusion.h"
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"

static const char prefix[] = "post_fusion_layer_1";

struct tensor_fused {
    struct fused vectors;
    struct linear_layer layer;
    float dropout;
};

static void build(struct part *p)
{
    struct tensor_fused *f = p->self;
    size_t widths[MODALITIES];
    f->vectors = fuse_vectors(p->t);
    f->dropout = fuse_dropout(p->t);
    for (int i = 0; i < f->vectors.count; i++)
        widths[i] = f->vectors.of[i].width;
    f->layer =
        tensor_fusion_layer(&p->t->params, prefix, f->vectors.count, widths, fuse_adds(p->t, 32));
}

static void forward(struct part *p)
{
    const struct tensor_fused *f = p->self;
    struct tape *tape = &p->t->tape;
    struct var *taken[MODALITIES];
    fuse_take(p->t, &f->vectors, taken);
    trainable_output(p->t, "f",
                     tensor_fusion_apply(tape, &f->layer, f->vectors.count, taken,
                                         dropout_at(tape, f->dropout, prefix, "input")));
}

const struct model fuse_tensor = {
    .is = {.name = "tensor",
           .summary = "the products of all their numbers, and of each with 1, through one layer: "
                      "TFN's fusion",
           .reads = "h_MODALITY [B,D]",
           .adds = "f [B,D]",
           .takes = "order,out,dropout"},
    .size = sizeof(struct tensor_fused),
    .build = build,
    .forward = forward};
