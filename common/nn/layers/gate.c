/* MAG-BERT's gate. */
#include "common/nn/layers/gate.h"
#include <math.h>
#include <string.h>

static const float DEVIATION = .02F, LEAST = 1e-6F;

static struct linear_layer layer(struct params *p, const char *name, size_t in, size_t out)
{
    return linear_drawn(p, name, in, out, init_normal(DEVIATION), init_constant(0));
}

struct gate gate_layers(struct params *p, const char *prefix, size_t dim, int count,
                        const char *letters, const size_t *widths)
{
    struct gate g = {.name = msa_strndup(p->m, prefix, strlen(prefix)), .count = count};
    for (int i = 0; i < count; i++)
        g.sides[i] = (struct gate_side){
            .trust =
                layer(p, msa_format(p->m, "%s.W_h%c", prefix, letters[i]), widths[i] + dim, dim),
            .shift = layer(p, msa_format(p->m, "%s.W_%c", prefix, letters[i]), widths[i], dim)};
    g.norm = norm_layer(p, params_name(p, prefix, "LayerNorm"), dim);
    return g;
}

/* relu(trust [x;e]) shift(x) */
static struct var *shift_of(struct tape *t, const struct gate_side *side, struct var *e,
                            struct var *x)
{
    struct var *both = op_concat(t, 2, (struct var *[]){x, e});
    struct var *trust = op_relu(t, linear_apply(t, &side->trust, both), (struct dropout){0});
    return op_multiply(t, trust, linear_apply(t, &side->shift, x), BROADCAST_NONE);
}

/* [R]: what of a shift is made use of */
static struct var *share_of(struct tape *t, float beta, struct var *e, struct var *shift)
{
    struct var *most = op_affine(t, op_euclidean(t, e, 0), beta, 0);
    struct var *share = op_divide(t, most, op_euclidean(t, shift, 1), BROADCAST_NONE, LEAST);
    return op_clamp(t, share, -INFINITY, 1);
}

struct var *gate_apply(struct tape *t, const struct gate *g, struct var *e, struct var *const *x)
{
    struct var *shift = shift_of(t, &g->sides[0], e, x[0]);
    for (int i = 1; i < g->count; i++)
        shift = op_add(t, shift, shift_of(t, &g->sides[i], e, x[i]), BROADCAST_NONE);
    shift = op_multiply(t, shift, share_of(t, g->beta, e, shift), BROADCAST_COLUMN);
    struct var *y = op_norm(t, e, shift, g->norm.gain, g->norm.bias, NORM_EPS, (struct dropout){0});
    return op_dropout(t, y, dropout_at(t, g->dropout, g->name, "dropout"));
}
