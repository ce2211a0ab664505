/* Linear layers. */
#include "common/nn/layers/linear.h"
#include <math.h>

struct linear_layer linear_layer(struct params *p, const char *prefix, size_t in, size_t out)
{
    struct init init = init_uniform(1 / sqrtf((float)in));
    return (struct linear_layer){
        params_add(p, params_name(p, prefix, "weight"), init, 2, (size_t[]){out, in}),
        params_add(p, params_name(p, prefix, "bias"), init, 1, &out)};
}

struct linear_layer linear_xavier(struct params *p, const char *prefix, size_t in, size_t out)
{
    const size_t shape[] = {out, in};
    return (struct linear_layer){
        params_add(p, params_name(p, prefix, "weight"), init_xavier_uniform(2, shape), 2, shape),
        params_add(p, params_name(p, prefix, "bias"), init_constant(0), 1, &out)};
}

struct var *linear_apply(struct tape *t, const struct linear_layer *l, struct var *x)
{
    return op_linear(t, x, l->weight, l->bias);
}
