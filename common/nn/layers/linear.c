/* Linear layers. */
#include "common/nn/layers/linear.h"
#include <math.h>

struct linear_layer linear_drawn(struct params *p, const char *prefix, size_t in, size_t out,
                                 struct init weight, struct init bias)
{
    struct linear_layer l;
    l.weight = params_add(p, params_name(p, prefix, "weight"), weight, 2, (size_t[]){out, in});
    l.bias = params_add(p, params_name(p, prefix, "bias"), bias, 1, &out);
    return l;
}

struct linear_layer linear_layer(struct params *p, const char *prefix, size_t in, size_t out)
{
    struct init init = init_uniform(1 / sqrtf((float)in));
    return linear_drawn(p, prefix, in, out, init, init);
}

struct linear_layer linear_xavier(struct params *p, const char *prefix, size_t in, size_t out)
{
    struct init init = init_xavier_uniform(2, (size_t[]){out, in});
    return linear_drawn(p, prefix, in, out, init, init_constant(0));
}

struct var *linear_apply(struct tape *t, const struct linear_layer *l, struct var *x)
{
    return op_linear(t, x, l->weight, l->bias);
}
