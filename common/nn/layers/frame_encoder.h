/* The encoder of one modality: frames -> one vector (msa-model(7), Encoders).
 *
 * Linear F->D, a learned CLS row in front, learned positions, dropout; post-norm transformer layers
 * with padding masked as keys; LayerNorm; the mean over all positions. */
#ifndef MSA_FRAME_ENCODER_H
#define MSA_FRAME_ENCODER_H

#include "common/nn/layers/transformer.h"

struct encoder_shape {
    size_t features, frames; /* F and L of the input */
    size_t dim, heads, layers;
    float dropout;
};

struct encoder {
    const char *prefix; /* "vision_encoder" */
    struct encoder_shape shape;
    struct linear_layer proj;
    struct var *cls, *positions; /* [1,1,D], [1,1+L,D] */
    struct transformer stack;
    struct norm_layer norm;
};

struct encoder encoder_layers(struct params *p, const char *prefix, struct encoder_shape shape);
/* [B,L,F] and the padding pad[B,1+L] (frames.h) -> [B,D] */
struct var *encoder_apply(struct tape *t, const struct encoder *e, struct var *x,
                          const uint8_t *pad);

#endif
