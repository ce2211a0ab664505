/* A stack of post-norm transformer layers, whatever its parameters are called (msa-model(7),
 * Encoders). */
#ifndef MSA_TRANSFORMER_H
#define MSA_TRANSFORMER_H

#include "common/nn/layers/linear.h"
#include "common/nn/layers/norm.h"

enum { TRANSFORMER_LAYERS = 48 };

struct transformer_layer {
    const char *name; /* of its places of dropout */
    struct linear_layer qkv, out, linear1, linear2;
    struct norm_layer norm1, norm2;
};

struct transformer {
    size_t heads;
    float eps; /* of the norms */
    /* Dropout rates: of attention probabilities; after attention and after the feed-forward; within
     * that, behind the GELU. */
    float attention, hidden, inner;
    size_t count;
    struct transformer_layer layers[TRANSFORMER_LAYERS];
};

/* x[R,D] through all layers, each sample's rows by themselves, with padding masked as keys:
 * h = LN1(x + drop(MHA(x))), y = LN2(h + drop(W2 drop(gelu(W1 h + b1)) + b2)). Layers in front by
 * which no gradient is wanted keep nothing. */
struct var *transformer_apply(struct tape *t, const struct transformer *s, struct var *x,
                              struct sequences samples);

#endif
