/* A stack of transformer layers, whatever its parameters are called (msa-model(7), Encoders). */
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

/* PREFIX.self_attn.in_proj_weight [3D,D], Xavier-uniform as one matrix, and .in_proj_bias, 0. */
struct linear_layer transformer_qkv(struct params *p, const char *prefix, size_t dim);
/* One with the names and initial values of PyTorch's TransformerEncoderLayer, PREFIX.self_attn,
 * .linear1, of width `inner`, .linear2, .norm1 and .norm2; the prefix is referenced. */
struct transformer_layer transformer_layer(struct params *p, const char *prefix, size_t dim,
                                           size_t inner);

enum norm_order { NORM_BEHIND, NORM_IN_FRONT };
enum activation { ACTIVATION_GELU, ACTIVATION_RELU };

struct transformer {
    size_t heads;
    float eps; /* of the norms */
    /* Dropout rates: of attention probabilities; after attention and after the feed-forward; within
     * that, behind the activation. */
    float attention, hidden, inner;
    enum norm_order order;
    enum activation activation;
    size_t count;
    struct transformer_layer layers[TRANSFORMER_LAYERS];
};

/* What queries look at, the same in every layer. */
struct attended {
    struct var *keys, *values; /* [K,D] each, or one; NULL: each layer looks at its own input */
    struct sequences queries, rows; /* of x; of keys and values, or of x again */
    bool masked;                    /* kernels.h, struct attention */
    size_t offset;
    const int32_t *last, *seen; /* spans [B,2]: of the last layer this one row of each sample is
                                   wanted alone, which sees these; NULL: all rows are wanted */
};

/* x[R,D] through all layers. MHA has queries from x, keys and values from what x looks at.
 * NORM_BEHIND:   h = LN1(x + drop(MHA(x, k, v))),           y = LN2(h + drop(F(h)))
 * NORM_IN_FRONT: h = x + drop(MHA(LN1 x, LN1 k, LN1 v)),    y = h + drop(F(LN2 h))
 * where F(h) = W2 drop(activation(W1 h + b1)) + b2. Layers in front by which no gradient is wanted
 * keep nothing. [R,D], or, where the last rows alone are wanted, [B,D]. */
struct var *transformer_attend(struct tape *t, const struct transformer *s, struct var *x,
                               const struct attended *to);
/* The same for each sample's rows by themselves; padding is looked at by none. */
struct var *transformer_apply(struct tape *t, const struct transformer *s, struct var *x,
                              struct sequences samples);

#endif
