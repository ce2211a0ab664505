/* Frames [B,L,F] -> one vector [B,D] by the mean over frames and three layers: MMSA's vision and
 * audio (msa-model(7), Encoders of the small models). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/batch_norm.h"
#include "common/nn/layers/linear.h"
#include "filters/encode/subnet.h"

enum { LAYERS = 3 };

struct network {
    struct subnet subnet;
    struct batch_norm_layer norm;
    struct linear_layer layers[LAYERS];
};

static void build(struct part *p)
{
    struct network *n = p->self;
    struct params *params = &p->t->params;
    n->subnet = subnet_build(p, &encode_dnn);
    const char *prefix = n->subnet.prefix;
    size_t in = n->subnet.sequence.width, hidden = n->subnet.hidden;
    n->norm = batch_norm_layer(params, params_name(params, prefix, "norm"), in);
    for (int i = 0; i < LAYERS; i++)
        n->layers[i] = linear_layer(params, msa_format(p->t->m, "%s.linear_%d", prefix, 1 + i),
                                    i ? hidden : in, hidden);
    encode_adds(p, hidden);
}

static void forward(struct part *p)
{
    const struct network *n = p->self;
    const struct subnet *s = &n->subnet;
    struct tape *tape = &p->t->tape;
    char name[TENSOR_NAME + 1];
    struct var *x = sequence_frames(p->t, &s->sequence);
    x = op_mean(tape, x, x->shape[0], sequence_lengths(p->t, &s->sequence)->all);
    x = batch_norm_apply(tape, &n->norm, op_number(tape, x));
    x = op_dropout(tape, x, dropout_at(tape, s->dropout, s->prefix, "norm"));
    for (int i = 0; i < LAYERS; i++)
        x = op_relu(tape, linear_apply(tape, &n->layers[i], x), (struct dropout){0});
    trainable_output(p->t, name_vector(name, 'h', p->modality), x);
}

const struct model encode_dnn = {
    .is = {.name = "dnn",
           .summary = "the mean of the frames through BatchNorm and three layers",
           .reads = "a modality [B,L,F]",
           .adds = "h_MODALITY [B,D], of width --hidden",
           .takes = "hidden,lengths,dropout"},
    .size = sizeof(struct network),
    .build = build,
    .forward = forward};
