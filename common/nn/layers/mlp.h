/* Linear layers with GELU between them. */
#ifndef MSA_MLP_H
#define MSA_MLP_H

#include "common/nn/layers/linear.h"

enum { MLP_LAYERS = 5 };
/* Linear layers PREFIX.0, PREFIX.2, … with GELU between them. */
struct mlp {
    int count;
    struct linear_layer layers[MLP_LAYERS];
};
/* widths[count+1], from the input's to the output's. */
struct mlp mlp_layers(struct params *p, const char *prefix, int count, const size_t *widths);
/* What the last layer takes, and what it makes of that. */
struct var *mlp_inner(struct tape *t, const struct mlp *mlp, struct var *x);
struct var *mlp_last(struct tape *t, const struct mlp *mlp, struct var *inner);
/* Both. */
struct var *mlp_apply(struct tape *t, const struct mlp *mlp, struct var *x);

#endif
