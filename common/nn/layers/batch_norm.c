/* BatchNorm. */
#include "common/nn/layers/batch_norm.h"

static const float EPS = 1e-5F, MOMENTUM = .1F;

static struct var *buffer(struct params *p, const char *prefix, const char *name, float number,
                          size_t dim)
{
    return params_buffer(p, params_name(p, prefix, name), init_constant(number), 1, &dim,
                         BUFFER_REQUIRED);
}

struct batch_norm_layer batch_norm_layer(struct params *p, const char *prefix, size_t dim)
{
    return (struct batch_norm_layer){
        params_add(p, params_name(p, prefix, "weight"), init_constant(1), 1, &dim),
        params_add(p, params_name(p, prefix, "bias"), init_constant(0), 1, &dim),
        {buffer(p, prefix, "running_mean", 0, dim), buffer(p, prefix, "running_var", 1, dim)}};
}

struct var *batch_norm_apply(struct tape *t, const struct batch_norm_layer *l, struct var *x)
{
    return op_batch_norm(t, x, l->gain, l->bias, l->running, EPS, MOMENTUM);
}
