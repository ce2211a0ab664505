/* Projectors. */
#include "common/nn/layers/projector.h"
#include <string.h>

struct projector projector_layers(struct params *p, const char *prefix, size_t in, size_t out,
                                  float dropout)
{
    return (struct projector){.prefix = msa_strndup(p->m, prefix, strlen(prefix)),
                              .norm = norm_layer(p, params_name(p, prefix, "fc.0"), in),
                              .linear = linear_layer(p, params_name(p, prefix, "fc.1"), in, out),
                              .dropout = dropout};
}

struct var *projector_apply(struct tape *t, const struct projector *l, struct var *x)
{
    x = op_norm(t, x, NULL, l->norm.gain, l->norm.bias, NORM_EPS, (struct dropout){0});
    x = linear_apply(t, &l->linear, x);
    return op_tanh(t, x, dropout_at(t, l->dropout, l->prefix, "fc.3"));
}
