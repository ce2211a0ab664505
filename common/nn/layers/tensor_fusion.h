/* The outer product of vectors, each with a 1 in front, through a linear layer and a rectifier. */
#ifndef MSA_TENSOR_FUSION_LAYER_H
#define MSA_TENSOR_FUSION_LAYER_H

#include "common/nn/layers/linear.h"

/* PREFIX.weight [out,K] and PREFIX.bias of linear_layer, K = (widths[0]+1) (widths[1]+1) …, of
 * `count` vectors, 1 to FUSED. Fails the run with MSA_USAGE where the weights would be more than
 * 2^31 - 1 numbers. */
struct linear_layer tensor_fusion_layer(struct params *p, const char *prefix, int count,
                                        const size_t *widths, size_t out);
/* parts [B,widths[i]] -> [B,out]: ReLU(W drop(their outer product) + b) */
struct var *tensor_fusion_apply(struct tape *t, const struct linear_layer *l, int count,
                                struct var *const *parts, struct dropout drop);

#endif
