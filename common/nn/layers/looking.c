/* MulT's transformer. */
#include "common/nn/layers/looking.h"

static struct transformer_layer layer(struct params *p, const char *prefix, size_t dim)
{
    struct transformer_layer l = {.name = prefix};
    l.qkv = transformer_qkv(p, prefix, dim);
    l.out = linear_xavier(p, params_name(p, prefix, "self_attn.out_proj"), dim, dim);
    l.linear1 = linear_xavier(p, params_name(p, prefix, "fc1"), dim, 4 * dim);
    l.linear2 = linear_xavier(p, params_name(p, prefix, "fc2"), 4 * dim, dim);
    l.norm1 = norm_layer(p, params_name(p, prefix, "layer_norms.0"), dim);
    l.norm2 = norm_layer(p, params_name(p, prefix, "layer_norms.1"), dim);
    return l;
}

struct looking looking_layers(struct params *p, const char *name, size_t dim,
                              const struct transformer *shape)
{
    struct looking l = {.name = name, .layers = *shape};
    l.layers.eps = NORM_EPS;
    l.layers.order = NORM_IN_FRONT;
    l.layers.activation = ACTIVATION_RELU;
    for (size_t i = 0; i < shape->count; i++)
        l.layers.layers[i] = layer(p, msa_format(p->m, "%s.layers.%zu", name, i), dim);
    l.norm = norm_layer(p, params_name(p, name, "layer_norm"), dim);
    return l;
}

struct var *looking_apply(struct tape *t, const struct looking *l, struct var *x,
                          const struct attended *to)
{
    x = transformer_attend(t, &l->layers, x, to);
    return op_norm(t, x, NULL, l->norm.gain, l->norm.bias, NORM_EPS, (struct dropout){0});
}
