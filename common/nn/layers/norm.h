/* A LayerNorm. */
#ifndef MSA_NORM_H
#define MSA_NORM_H

#include "common/nn/ops/ops.h"
#include "common/nn/params.h"

static const float NORM_EPS = 1e-5F; /* added to the variance, as PyTorch does */

struct norm_layer {
    struct var *gain, *bias; /* [dim] */
};
struct norm_layer norm_layer(struct params *p, const char *prefix, size_t dim);

#endif
