/* LayerNorm. */
#include "common/nn/layers/norm.h"

struct norm_layer norm_layer(struct params *p, const char *prefix, size_t dim)
{
    return (struct norm_layer){
        params_add(p, params_name(p, prefix, "weight"), init_constant(1), 1, &dim),
        params_add(p, params_name(p, prefix, "bias"), init_constant(0), 1, &dim)};
}
