/* The sizes and numbers of a tensor fusion, as every device takes them: table.def has the formula.
 * A pair is a number of a and one of v; each has as many columns of the weights as t has numbers.
 */
#ifndef MSA_TENSOR_FUSION_H
#define MSA_TENSOR_FUSION_H

#include "kernels/kernels.h"
#include "kernels/scalar.h"

static inline size_t fusion_pairs(const struct tensor_fusion *s)
{
    return (s->a + 1) * (s->v + 1);
}

static inline size_t fusion_columns(const struct tensor_fusion *s)
{
    return fusion_pairs(s) * (s->t + 1);
}

/* Number i of a vector with a 1 in front. */
SCALAR float fusion_number(const float *x, size_t i)
{
    return i ? x[i - 1] : 1;
}

/* Number `pair` of a sample's products a_i v_j, a [s->a] and v [s->v] being its own. */
SCALAR float fusion_pair(const float *a, const float *v, const struct tensor_fusion *s, size_t pair)
{
    return fusion_number(a, pair / (s->v + 1)) * fusion_number(v, pair % (s->v + 1));
}

#endif
