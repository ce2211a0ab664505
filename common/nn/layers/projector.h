/* What a modality's features are decomposed by. */
#ifndef MSA_PROJECTOR_H
#define MSA_PROJECTOR_H

#include "common/nn/layers/linear.h"
#include "common/nn/layers/norm.h"

/* LayerNorm, Linear, Tanh, Dropout (msa-model(7), Decomposition): PREFIX.fc.0 and PREFIX.fc.1. */
struct projector {
    const char *prefix;
    struct norm_layer norm;
    struct linear_layer linear;
    float dropout;
};
struct projector projector_layers(struct params *p, const char *prefix, size_t in, size_t out,
                                  float dropout);
struct var *projector_apply(struct tape *t, const struct projector *l, struct var *x);

#endif
