/* Tensor fusion. */
#include "common/nn/layers/tensor_fusion.h"

enum { MOST = INT32_MAX };

struct linear_layer tensor_fusion_layer(struct params *p, const char *prefix, int count,
                                        const size_t *widths, size_t out)
{
    size_t columns = 1, all = out;
    const char *shape = "";
    bool large = out > MOST;
    for (int i = 0; i < count; i++) {
        large = large || widths[i] >= MOST || (all *= widths[i] + 1) > MOST;
        columns *= widths[i] + 1;
        shape = msa_format(p->m, "%s%s%zu", shape, i ? " x " : "", widths[i] + 1);
    }
    if (large)
        msa_fail(p->m, MSA_USAGE, "'%s.weight' of %zu x (%s) numbers, and at most %d are possible",
                 prefix, out, shape, MOST);
    return linear_layer(p, prefix, columns, out);
}

struct var *tensor_fusion_apply(struct tape *t, const struct linear_layer *l, int count,
                                struct var *const *parts, struct dropout drop)
{
    return op_relu(t, op_tensor_fusion(t, count, parts, l->weight, l->bias, drop),
                   (struct dropout){.rate = 0});
}
