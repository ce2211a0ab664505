/* A convolution along frames, stride 1, without padding or bias. */
#ifndef MSA_CONV_H
#define MSA_CONV_H

#include "common/nn/ops/ops.h"
#include "common/nn/params.h"

struct conv_layer {
    struct var *weight; /* [D,F,k] */
};
/* PREFIX.weight, U(+-1/sqrt(F k)) */
struct conv_layer conv_layer(struct params *p, const char *prefix, size_t features, size_t dim,
                             size_t width);
/* [B,L,F] -> [B,L-k+1,D] */
struct var *conv_apply(struct tape *t, const struct conv_layer *l, struct var *x);

#endif
