/* Frames [B,L,F] -> one vector [B,4H] by the last states of two bidirectional LSTMs: MISA's vision
 * and audio (msa-model(7), Encoders of MISA). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/lstm.h"
#include "common/nn/layers/norm.h"
#include "filters/encode/subnet.h"

enum { RNNS = 2 };

struct network {
    struct subnet subnet;
    struct bilstm_layer rnns[RNNS];
    struct norm_layer norm; /* between them */
};

static void build(struct part *p)
{
    struct network *n = p->self;
    struct trainable *t = p->t;
    struct params *params = &t->params;
    const char *usual = msa_strndup(t->m, modality_names[p->modality], 1);
    n->subnet = subnet_named(p, &encode_bilstm, usual, 0);
    trainable_cut(t, p->modality);
    const char *prefix = n->subnet.prefix;
    size_t in = n->subnet.sequence.width, hidden = n->subnet.hidden;
    for (int i = 0; i < RNNS; i++)
        n->rnns[i] = bilstm_layer(params, msa_format(t->m, "%srnn%d", prefix, 1 + i), "_l0",
                                  i ? LSTM_DIRECTIONS * hidden : in, hidden);
    n->norm =
        norm_layer(params, msa_format(t->m, "%slayer_norm", prefix), LSTM_DIRECTIONS * hidden);
    encode_adds(p, RNNS * LSTM_DIRECTIONS * hidden);
}

static void forward(struct part *p)
{
    const struct network *n = p->self;
    const struct subnet *s = &n->subnet;
    struct tape *tape = &p->t->tape;
    char name[TENSOR_NAME + 1];
    const struct lengths *lengths = sequence_lengths(p->t, &s->sequence);
    struct var *one[LSTM_DIRECTIONS], *two[LSTM_DIRECTIONS];
    struct var *x = sequence_frames(p->t, &s->sequence);
    x = bilstm_apply(tape, &n->rnns[0], x, lengths, one);
    x = op_norm(tape, x, NULL, n->norm.gain, n->norm.bias, NORM_EPS, (struct dropout){0});
    x = op_dropout(tape, x, dropout_at(tape, s->dropout, s->prefix, "layer_norm"));
    bilstm_apply(tape, &n->rnns[1], x, lengths, two);
    struct var *ends[] = {one[LSTM_FORWARD], two[LSTM_FORWARD], one[LSTM_BACKWARD],
                          two[LSTM_BACKWARD]};
    trainable_output(p->t, name_vector(name, 'h', p->modality),
                     op_concat(tape, RNNS * LSTM_DIRECTIONS, ends));
}

const struct model encode_bilstm = {
    .is = {.name = "bilstm",
           .summary = "frames through two bidirectional LSTMs, whose last states are side by side",
           .reads = "a modality [B,L,F]",
           .adds = "h_MODALITY [B,D], of four times the width --hidden",
           .takes = "hidden,lengths,dropout"},
    .size = sizeof(struct network),
    .build = build,
    .forward = forward};
