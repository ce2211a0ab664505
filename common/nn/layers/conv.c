/* Convolution. */
#include "common/nn/layers/conv.h"
#include <math.h>

struct conv_layer conv_layer(struct params *p, const char *prefix, size_t features, size_t dim,
                             size_t width)
{
    struct init init = init_uniform(1 / sqrtf((float)(features * width)));
    return (struct conv_layer){
        params_add(p, params_name(p, prefix, "weight"), init, 3, (size_t[]){dim, features, width})};
}

struct var *conv_apply(struct tape *t, const struct conv_layer *l, struct var *x)
{
    return op_conv(t, x, l->weight);
}
