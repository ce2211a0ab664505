/* A BatchNorm. */
#ifndef MSA_BATCH_NORM_H
#define MSA_BATCH_NORM_H

#include "common/nn/ops/ops.h"
#include "common/nn/params.h"

struct batch_norm_layer {
    struct var *gain, *bias; /* [dim] */
    struct running running;  /* buffers [dim] */
};
/* PREFIX.weight, .bias, .running_mean and .running_var, which begin as 1, 0, 0 and 1. */
struct batch_norm_layer batch_norm_layer(struct params *p, const char *prefix, size_t dim);
/* x [B,dim], with PyTorch's eps, 1e-5, and momentum, .1. In training it writes the buffers, in the
 * lane where it is (params.h). */
struct var *batch_norm_apply(struct tape *t, const struct batch_norm_layer *l, struct var *x);

#endif
