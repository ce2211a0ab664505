/* Layers: parameters with names, and how a batch goes through them. */
#ifndef MSA_LAYERS_H
#define MSA_LAYERS_H

#include "common/nn/ops.h"
#include "common/nn/params.h"

struct linear_layer {
    struct var *weight, *bias; /* [out,in], [out] */
};
/* PREFIX.weight and .bias, U(+-1/sqrt(in)) both. */
struct linear_layer linear_layer(struct params *p, const char *prefix, size_t in, size_t out);
struct var *linear_apply(struct tape *t, const struct linear_layer *l, struct var *x);

struct norm_layer {
    struct var *gain, *bias; /* [dim] */
};
struct norm_layer norm_layer(struct params *p, const char *prefix, size_t dim);

enum { MLP_LAYERS = 5 };
/* Linear layers PREFIX.0, PREFIX.2, … with GELU between them. */
struct mlp {
    int count;
    struct linear_layer layers[MLP_LAYERS];
};
/* widths[count+1], from the input's to the output's. */
struct mlp mlp_layers(struct params *p, const char *prefix, int count, const size_t *widths);
struct var *mlp_apply(struct tape *t, const struct mlp *mlp, struct var *x);

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

/* PREFIX.NAME in memory of the run. */
char *layer_name(struct params *p, const char *prefix, const char *name);

#endif
