/* LayerNorm. */
#include "common/nn/layers/norm.h"

struct norm_layer norm_layer(struct params *p, const char *prefix, size_t dim)
{
    return (struct norm_layer){
        params_add(p, params_name(p, prefix, "weight"), START_ONE, 0, 1, &dim),
        params_add(p, params_name(p, prefix, "bias"), START_ZERO, 0, 1, &dim)};
}
