/* Transformer layers. */
#include "common/nn/layers/transformer.h"

static struct var *layer_apply(struct tape *t, const struct transformer *s,
                               const struct transformer_layer *l, struct var *x,
                               struct sequences samples)
{
    struct var *a = op_self_attention(t, linear_apply(t, &l->qkv, x), samples, s->heads,
                                      dropout_at(t, s->attention, l->name, "self_attn"));
    a = linear_apply(t, &l->out, a);
    struct var *h = op_norm(t, x, a, l->norm1.gain, l->norm1.bias, s->eps,
                            dropout_at(t, s->hidden, l->name, "dropout1"));
    struct var *f =
        op_gelu(t, linear_apply(t, &l->linear1, h), dropout_at(t, s->inner, l->name, "dropout"));
    f = linear_apply(t, &l->linear2, f);
    return op_norm(t, h, f, l->norm2.gain, l->norm2.bias, s->eps,
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

struct var *transformer_apply(struct tape *t, const struct transformer *s, struct var *x,
                              struct sequences samples)
{
    for (size_t i = 0; i < s->count; i++) {
        bool last = i + 1 == s->count || is_trained(t, &s->layers[i + 1]);
        if (!x->wants && !is_trained(t, &s->layers[i]) && !last)
            tape_pass(t);
        x = layer_apply(t, s, &s->layers[i], x, samples);
        tape_keep(t);
    }
    return x;
}
