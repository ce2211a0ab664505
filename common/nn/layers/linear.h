/* A linear layer. */
#ifndef MSA_LINEAR_H
#define MSA_LINEAR_H

#include "common/nn/ops/ops.h"
#include "common/nn/params.h"

struct linear_layer {
    struct var *weight, *bias; /* [out,in]; [out], NULL: there is none */
};
/* PREFIX.weight [out,in] and .bias [out], of these initial values. */
struct linear_layer linear_drawn(struct params *p, const char *prefix, size_t in, size_t out,
                                 struct init weight, struct init bias);
/* U(+-1/sqrt(in)) both. */
struct linear_layer linear_layer(struct params *p, const char *prefix, size_t in, size_t out);
/* The weight Xavier-uniform and the bias 0. */
struct linear_layer linear_xavier(struct params *p, const char *prefix, size_t in, size_t out);
struct var *linear_apply(struct tape *t, const struct linear_layer *l, struct var *x);

#endif
