/* The layers that heads and projectors are made of. */
#include "common/nn/layers.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const float NORM_EPS = 1e-5F;

char *layer_name(struct params *p, const char *prefix, const char *name)
{
    return msa_format(p->m, "%s.%s", prefix, name);
}

struct linear_layer linear_layer(struct params *p, const char *prefix, size_t in, size_t out)
{
    float bound = 1 / sqrtf((float)in);
    return (struct linear_layer){
        params_add(p, layer_name(p, prefix, "weight"), START_UNIFORM, bound, 2,
                   (size_t[]){out, in}),
        params_add(p, layer_name(p, prefix, "bias"), START_UNIFORM, bound, 1, &out)};
}

struct var *linear_apply(struct tape *t, const struct linear_layer *l, struct var *x)
{
    return op_linear(t, x, l->weight, l->bias);
}

struct norm_layer norm_layer(struct params *p, const char *prefix, size_t dim)
{
    return (struct norm_layer){
        params_add(p, layer_name(p, prefix, "weight"), START_ONE, 0, 1, &dim),
        params_add(p, layer_name(p, prefix, "bias"), START_ZERO, 0, 1, &dim)};
}

struct mlp mlp_layers(struct params *p, const char *prefix, int count, const size_t *widths)
{
    struct mlp mlp = {.count = count};
    for (int i = 0; i < count; i++)
        mlp.layers[i] =
            linear_layer(p, msa_format(p->m, "%s.%d", prefix, 2 * i), widths[i], widths[i + 1]);
    return mlp;
}

struct var *mlp_apply(struct tape *t, const struct mlp *mlp, struct var *x)
{
    for (int i = 0; i < mlp->count; i++) {
        if (i > 0)
            x = op_gelu(t, x, (struct dropout){0});
        x = linear_apply(t, &mlp->layers[i], x);
    }
    return x;
}

struct projector projector_layers(struct params *p, const char *prefix, size_t in, size_t out,
                                  float dropout)
{
    return (struct projector){.prefix = msa_strndup(p->m, prefix, strlen(prefix)),
                              .norm = norm_layer(p, layer_name(p, prefix, "fc.0"), in),
                              .linear = linear_layer(p, layer_name(p, prefix, "fc.1"), in, out),
                              .dropout = dropout};
}

struct var *projector_apply(struct tape *t, const struct projector *l, struct var *x)
{
    x = op_norm(t, x, NULL, l->norm.gain, l->norm.bias, NORM_EPS, (struct dropout){0});
    x = linear_apply(t, &l->linear, x);
    return op_tanh(t, x, dropout_at(t, l->dropout, l->prefix, "fc.3"));
}
