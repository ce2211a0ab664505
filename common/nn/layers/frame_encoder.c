/* ConFEDE's frame encoder, with its parameter names. */
#include "common/nn/layers/frame_encoder.h"
#include <assert.h>
#include <string.h>

/* All start equal: PyTorch's TransformerEncoder copies one layer. */
static void stack_layers(struct params *p, struct encoder *e)
{
    const char *const stack = params_name(p, e->prefix, "encoder.transformer_encoder.layers");
    const char *const first = params_name(p, stack, "0");
    assert(e->shape.layers <= TRANSFORMER_LAYERS);
    for (size_t i = 0; i < e->shape.layers; i++) {
        const char *name = msa_format(p->m, "%s.%zu", stack, i);
        params_draw_as(p, name, first);
        e->stack.layers[i] = transformer_layer(p, name, e->shape.dim, e->shape.dim);
    }
}

struct encoder encoder_layers(struct params *p, const char *prefix, struct encoder_shape shape)
{
    float rate = shape.dropout;
    struct encoder e = {.prefix = msa_strndup(p->m, prefix, strlen(prefix)), .shape = shape};
    const char *entry = params_name(p, prefix, "encoder.pos_encoder");
    e.cls = params_add(p, params_name(p, entry, "cls_token"), init_constant(1), 3,
                       (size_t[]){1, 1, shape.dim});
    e.proj = linear_layer(p, params_name(p, entry, "proj"), shape.features, shape.dim);
    e.positions = params_add(p, params_name(p, entry, "position_embeddings"), init_constant(0), 3,
                             (size_t[]){1, 1 + shape.frames, shape.dim});
    e.stack = (struct transformer){.heads = shape.heads,
                                   .eps = NORM_EPS,
                                   .attention = rate,
                                   .hidden = rate,
                                   .inner = rate,
                                   .count = shape.layers};
    stack_layers(p, &e);
    e.norm = norm_layer(p, params_name(p, prefix, "layernorm"), shape.dim);
    return e;
}

struct var *encoder_apply(struct tape *t, const struct encoder *e, struct var *x,
                          const uint8_t *pad)
{
    x = op_positions(t, linear_apply(t, &e->proj, x), e->cls, e->positions,
                     dropout_at(t, e->shape.dropout, e->prefix, "encoder.pos_encoder"));
    x = transformer_apply(t, &e->stack, x, (struct sequences){x->shape[0], x->shape[1], pad, NULL});
    x = op_norm(t, x, NULL, e->norm.gain, e->norm.bias, NORM_EPS, (struct dropout){0});
    return op_mean(t, x, x->shape[0], NULL);
}
