/* Multilayer perceptrons. */
#include "common/nn/layers/mlp.h"
#include <assert.h>

struct mlp mlp_layers(struct params *p, const char *prefix, int count, const size_t *widths)
{
    struct mlp mlp = {.count = count};
    assert(count <= MLP_LAYERS);
    for (int i = 0; i < count; i++)
        mlp.layers[i] =
            linear_layer(p, msa_format(p->m, "%s.%d", prefix, 2 * i), widths[i], widths[i + 1]);
    return mlp;
}

struct var *mlp_inner(struct tape *t, const struct mlp *mlp, struct var *x)
{
    for (int i = 0; i < mlp->count - 1; i++)
        x = op_gelu(t, linear_apply(t, &mlp->layers[i], x), (struct dropout){0});
    return x;
}

struct var *mlp_last(struct tape *t, const struct mlp *mlp, struct var *inner)
{
    return linear_apply(t, &mlp->layers[mlp->count - 1], inner);
}

struct var *mlp_apply(struct tape *t, const struct mlp *mlp, struct var *x)
{
    return mlp_last(t, mlp, mlp_inner(t, mlp, x));
}
