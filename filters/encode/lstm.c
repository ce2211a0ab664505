/* Frames [B,L,F] -> one vector [B,D] by the last state of an LSTM: MMSA's text (msa-model(7),
 * Encoders of the small models). */
#include "common/nn/layers/lstm.h"
#include "common/dataset/tensor_names.h"
#include "filters/encode/subnet.h"

struct network {
    struct subnet subnet;
    struct lstm_layer rnn;
    struct linear_layer linear;
};

struct settings {
    long out[MODALITIES]; /* 0: not given */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "out", "N", OPTION_INT, FIELD(out), NULL, 1, MOST_DIM,
     .help = "width of the vector: as --hidden unless given; evaluation takes it from the "
             "parameters",
     .keys = MODALITY_KEYS},
    {0},
};
#undef FIELD

static void build(struct part *p)
{
    struct network *n = p->self;
    struct trainable *t = p->t;
    const struct settings *s = p->settings;
    n->subnet = subnet_build(p, &encode_lstm);
    const char *prefix = n->subnet.prefix;
    size_t hidden = n->subnet.hidden;
    const char *key = msa_format(t->m, "out.%s", modality_names[p->modality]);
    size_t out = (size_t)trainable_int(t, key, s->out[p->modality], (long)hidden, MOST_DIM);
    n->rnn = lstm_layer(&t->params, params_name(&t->params, prefix, "rnn"), "_l0",
                        n->subnet.sequence.width, hidden);
    n->linear = linear_layer(&t->params, params_name(&t->params, prefix, "linear_1"), hidden, out);
    encode_adds(p, out);
}

static void forward(struct part *p)
{
    const struct network *n = p->self;
    const struct subnet *s = &n->subnet;
    struct tape *tape = &p->t->tape;
    char name[TENSOR_NAME + 1];
    const struct lengths *lengths = sequence_lengths(p->t, &s->sequence);
    struct var *x = sequence_frames(p->t, &s->sequence);
    x = lstm_last(tape, &n->rnn, lstm_apply(tape, &n->rnn, x, lengths).h, lengths);
    x = op_dropout(tape, x, dropout_at(tape, s->dropout, s->prefix, "rnn"));
    trainable_output(p->t, name_vector(name, 'h', p->modality), linear_apply(tape, &n->linear, x));
}

const struct model encode_lstm = {
    .is = {.name = "lstm",
           .summary = "frames through an LSTM, whose last state goes through a layer",
           .reads = "a modality [B,L,F]",
           .adds = "h_MODALITY [B,D], of width --out",
           .options = options,
           .settings_size = sizeof(struct settings),
           .takes = "hidden,lengths,dropout"},
    .size = sizeof(struct network),
    .build = build,
    .forward = forward};
