/* Transformer layers. */
#include "common/nn/layers/transformer.h"
#include <math.h>

struct linear_layer transformer_qkv(struct params *p, const char *prefix, size_t dim)
{
    const size_t shape[] = {3 * dim, dim};
    struct linear_layer l;
    l.weight = params_add(p, params_name(p, prefix, "self_attn.in_proj_weight"),
                          init_xavier_uniform(2, shape), 2, shape);
    l.bias =
        params_add(p, params_name(p, prefix, "self_attn.in_proj_bias"), init_constant(0), 1, shape);
    return l;
}

struct transformer_layer transformer_layer(struct params *p, const char *prefix, size_t dim,
                                           size_t inner)
{
    struct transformer_layer l = {.name = prefix};
    l.qkv = transformer_qkv(p, prefix, dim);
    l.out = linear_drawn(p, params_name(p, prefix, "self_attn.out_proj"), dim, dim,
                         init_uniform(1 / sqrtf((float)dim)), init_constant(0));
    l.linear1 = linear_layer(p, params_name(p, prefix, "linear1"), dim, inner);
    l.linear2 = linear_layer(p, params_name(p, prefix, "linear2"), inner, dim);
    l.norm1 = norm_layer(p, params_name(p, prefix, "norm1"), dim);
    l.norm2 = norm_layer(p, params_name(p, prefix, "norm2"), dim);
    return l;
}

static struct var *normed(struct tape *t, const struct transformer *s, const struct norm_layer *n,
                          struct var *x)
{
    return s->order == NORM_IN_FRONT
               ? op_norm(t, x, NULL, n->gain, n->bias, s->eps, (struct dropout){0})
               : x;
}

/* A residual connection: x + drop(z), and its norm where that is behind. */
static struct var *residual(struct tape *t, const struct transformer *s, const struct norm_layer *n,
                            struct var *x, struct var *z, struct dropout drop)
{
    if (s->order == NORM_IN_FRONT)
        return op_add(t, x, op_dropout(t, z, drop), BROADCAST_NONE);
    return op_norm(t, x, z, n->gain, n->bias, s->eps, drop);
}

/* `count` of the three parts of a projection into queries, keys and values, from part `first` on:
 * [R,D] -> [R,count D] */
static struct var *project(struct tape *t, const struct linear_layer *qkv, size_t first,
                           size_t count, struct var *x)
{
    size_t dim = qkv->weight->shape[1], rows = count * dim;
    struct var *w = tape_slice(t, qkv->weight, first * dim * dim, 2, (size_t[]){rows, dim});
    struct var *b = tape_slice(t, qkv->bias, first * dim, 1, &rows);
    return op_linear(t, x, w, b);
}

static struct var *attend(struct tape *t, const struct transformer *s,
                          const struct transformer_layer *l, struct var *x,
                          const struct attended *to)
{
    struct dropout drop = dropout_at(t, s->attention, l->name, "self_attn");
    size_t dim = l->qkv.weight->shape[1];
    struct attention shape = {.heads = s->heads,
                              .size = dim / s->heads,
                              .queries = to->queries,
                              .keys = to->rows,
                              .masked = to->masked,
                              .offset = to->offset};
    struct columns q, k, v;
    x = normed(t, s, &l->norm1, x);
    if (!to->keys) {
        struct var *all = linear_apply(t, &l->qkv, x);
        q = (struct columns){all, 0}, k = (struct columns){all, dim};
        v = (struct columns){all, 2 * dim};
    } else if (to->keys == to->values) {
        struct var *both = project(t, &l->qkv, 1, 2, normed(t, s, &l->norm1, to->keys));
        q = (struct columns){project(t, &l->qkv, 0, 1, x), 0};
        k = (struct columns){both, 0}, v = (struct columns){both, dim};
    } else {
        q = (struct columns){project(t, &l->qkv, 0, 1, x), 0};
        k = (struct columns){project(t, &l->qkv, 1, 1, normed(t, s, &l->norm1, to->keys)), 0};
        v = (struct columns){project(t, &l->qkv, 2, 1, normed(t, s, &l->norm1, to->values)), 0};
    }
    return linear_apply(t, &l->out, op_attention(t, q, k, v, shape, drop));
}

static struct var *feed_forward(struct tape *t, const struct transformer *s,
                                const struct transformer_layer *l, struct var *h)
{
    struct dropout drop = dropout_at(t, s->inner, l->name, "dropout");
    struct var *f = linear_apply(t, &l->linear1, normed(t, s, &l->norm2, h));
    f = s->activation == ACTIVATION_RELU ? op_relu(t, f, drop) : op_gelu(t, f, drop);
    return linear_apply(t, &l->linear2, f);
}

static struct var *layer_apply(struct tape *t, const struct transformer *s,
                               const struct transformer_layer *l, struct var *x,
                               const struct attended *to)
{
    struct var *h = residual(t, s, &l->norm1, x, attend(t, s, l, x, to),
                             dropout_at(t, s->hidden, l->name, "dropout1"));
    return residual(t, s, &l->norm2, h, feed_forward(t, s, l, h),
                    dropout_at(t, s->hidden, l->name, "dropout2"));
}

static bool is_trained(const struct tape *t, const struct transformer_layer *l)
{
    const struct var *const all[] = {l->qkv.weight,     l->qkv.bias,       l->out.weight,
                                     l->out.bias,       l->linear1.weight, l->linear1.bias,
                                     l->linear2.weight, l->linear2.bias,   l->norm1.gain,
                                     l->norm1.bias,     l->norm2.gain,     l->norm2.bias};
    bool trained = false;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        trained = trained || (all[i] && all[i]->wants);
    return trained && t->train;
}

/* The last rows alone: queries of one row each, behind whose place there is nothing to mask. */
static struct var *layer_end(struct tape *t, const struct transformer *s,
                             const struct transformer_layer *l, struct var *x,
                             const struct attended *to)
{
    struct attended one = {.keys = to->keys ? to->keys : x,
                           .values = to->keys ? to->values : x,
                           .queries = {to->queries.batch, 1, NULL, NULL},
                           .rows = to->rows};
    one.rows.spans = to->seen;
    return layer_apply(t, s, l, op_mean(t, x, to->queries.batch, to->last), &one);
}

struct var *transformer_attend(struct tape *t, const struct transformer *s, struct var *x,
                               const struct attended *to)
{
    bool sources = to->keys && (to->keys->wants || to->values->wants);
    for (size_t i = 0; i < s->count; i++) {
        bool last = i + 1 == s->count || is_trained(t, &s->layers[i + 1]);
        if (!x->wants && !sources && !is_trained(t, &s->layers[i]) && !last)
            tape_pass(t);
        bool end = to->last && i + 1 == s->count;
        x = (end ? layer_end : layer_apply)(t, s, &s->layers[i], x, to);
        tape_keep(t);
    }
    return x;
}

struct var *transformer_apply(struct tape *t, const struct transformer *s, struct var *x,
                              struct sequences samples)
{
    struct attended itself = {.queries = samples, .rows = samples};
    itself.queries.pad = NULL; /* padding has results, though nobody looks at them */
    return transformer_attend(t, s, x, &itself);
}
