/* Frames of all modalities -> f [B,D]: an LSTM each, attention to their cells of two steps, and a
 * gated memory: MFN (msa-model(7), Fusion). */
#include "common/nn/layers/lstm.h"
#include "common/stage/trainable_lengths.h"
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"
#include <stdio.h>

enum { MOST_WIDTH = 8192, ALIGN_MEAN = 0, ALIGN_NONE, ALIGN_POOL, ALIGN_AUTO };
#define ALIGN_WORDS "mean|none|pool|auto"

struct settings {
    long hidden[MODALITIES], memory, width[MEMORY_END]; /* 0: not given */
    int align, lengths;
};

/* W2 drop(ReLU(W1 x + b1)) + b2 */
struct two {
    const char *name;
    struct linear_layer first, second;
    float dropout;
};

struct memory {
    struct fused frames;                   /* text, audio, vision: those that are there */
    struct sequence sequences[MODALITIES]; /* in this order, as those below */
    struct lstm_layer lstms[MODALITIES];
    size_t cells, size; /* H, the sum of the hidden sizes, and M */
    int align, leader;  /* whose frames are the steps */
    struct two nets[MEMORY_END];
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "hidden", "N", OPTION_INT, FIELD(hidden), NULL, 1, MOST_WIDTH,
     .help = "width of the LSTM: 64 unless given; evaluation takes it from the parameters",
     .keys = MODALITY_KEYS},
    {0, "memory", "N", OPTION_INT, FIELD(memory), NULL, 1, MOST_WIDTH,
     .help = "width of the memory: 64 unless given; evaluation takes it from the parameters"},
    {0, "width", "N", OPTION_INT, FIELD(width), NULL, 1, MOST_WIDTH,
     .help = "width of the layer inside each net: 64 unless given; evaluation takes it from the "
             "parameters",
     .keys = MEMORY_PLACES},
    {0, "align", ALIGN_WORDS, OPTION_CHOICE, FIELD(align), "auto", 0, 0,
     .help = "how audio and vision come to the steps of text: as their mean, the same at each; as "
             "they are, where they have as many frames; or pooled to as many; auto: mean, and in "
             "evaluation what the parameters are for"},
    {0, "lengths", LENGTHS_WORDS, OPTION_CHOICE, FIELD(lengths), "auto", 0, 0,
     .help = LENGTHS_HELP},
    {0},
};
#undef FIELD

/* --- parameters --- */

static const char *const lstm_names[MODALITIES] = {
    [TEXT] = "lstm_l", [VISION] = "lstm_v", [AUDIO] = "lstm_a"};
static const char *const net_names[MEMORY_END] = {
    [ATT1] = "att1", [ATT2] = "att2", [GAMMA1] = "gamma1", [GAMMA2] = "gamma2"};

/* A width by key, "hidden.text". */
static size_t width_of(struct trainable *t, const char *option, const char *key, long given)
{
    return (size_t)trainable_int(t, msa_format(t->m, "%s.%s", option, key), given, 64, MOST_WIDTH);
}

static void build_lstm(struct part *p, int i)
{
    const struct settings *s = p->settings;
    struct memory *n = p->self;
    struct trainable *t = p->t;
    const struct fused_one *one = &n->frames.of[i];
    int modality = one->modality;
    size_t hidden = width_of(t, "hidden", modality_names[modality], s->hidden[modality]);
    n->sequences[i] = one->arrives
                          ? trainable_sequence(t, modality, lstm_names[modality], s->lengths)
                          : trainable_no_sequence(t, modality, one->width, s->lengths);
    t->params.modality = modality;
    n->lstms[i] = lstm_layer(&t->params, lstm_names[modality], "", one->width, hidden);
    t->params.modality = -1;
    n->cells += hidden;
    trainable_drop_modality(t, modality);
}

static void build_net(struct part *p, int place, size_t in, size_t out)
{
    const struct settings *s = p->settings;
    const struct fuse_settings *all = (const struct fuse_settings *)p->t->settings;
    struct two *net = &((struct memory *)p->self)->nets[place];
    struct msa *m = p->t->m;
    net->name = net_names[place];
    size_t width = width_of(p->t, "width", net->name, s->width[place]);
    net->first = linear_layer(&p->t->params, msa_format(m, "%s_fc1", net->name), in, width);
    net->second = linear_layer(&p->t->params, msa_format(m, "%s_fc2", net->name), width, out);
    net->dropout = (float)all->dropout[place];
}

/* The first says how many steps there are; where frames are taken as they are, the first that
 * arrives, since what does not is as long as others. */
static void find_leader(struct trainable *t, struct memory *n)
{
    while (n->align == ALIGN_NONE && n->sequences[n->leader].missing)
        n->leader++;
    const struct sequence *leader = &n->sequences[n->leader];
    for (int i = n->leader; n->align == ALIGN_NONE && i < n->frames.count; i++) {
        const struct sequence *s = &n->sequences[i];
        if (!s->missing && s->frames.most != leader->frames.most)
            msa_fail(t->m, MSA_USAGE,
                     "--align none: %zu frames of '%s' but %zu of '%s'; mean and pool take them",
                     leader->frames.most, modality_names[leader->modality], s->frames.most,
                     modality_names[s->modality]);
    }
}

static void build(struct part *p)
{
    const struct settings *s = p->settings;
    struct memory *n = p->self;
    struct trainable *t = p->t;
    fuse_dropouts(t, MEMORY_PLACES);
    n->frames = fuse_frames(t, "text,audio,vision");
    n->align = trainable_choice(t, "align", ALIGN_WORDS, s->align, ALIGN_MEAN);
    n->size = (size_t)trainable_int(t, "memory", s->memory, 64, MOST_WIDTH);
    for (int i = 0; i < n->frames.count; i++)
        build_lstm(p, i);
    find_leader(t, n);
    build_net(p, ATT1, 2 * n->cells, 2 * n->cells);
    build_net(p, ATT2, 2 * n->cells, n->size);
    build_net(p, GAMMA1, 2 * n->cells + n->size, n->size);
    build_net(p, GAMMA2, 2 * n->cells + n->size, n->size);
    trainable_adds(t, "f", 2, (size_t[]){0, n->cells + n->size});
}

/* --- LSTMs --- */

/* All states of one over the leader's steps: of its own frames, or of others as --align says. */
static struct states run_lstm(struct trainable *t, const struct memory *n, int i, size_t steps,
                              const struct lengths *lengths)
{
    const struct sequence *s = &n->sequences[i];
    struct tape *tape = &t->tape;
    struct var *x = sequence_frames(t, s);
    if (i != n->leader && (s->missing || n->align == ALIGN_MEAN)) {
        x = op_number(tape, op_mean(tape, x, x->shape[0], sequence_lengths(t, s)->all));
        return lstm_apply_constant(tape, &n->lstms[i], x, steps, lengths);
    }
    if (n->align == ALIGN_POOL)
        x = op_words(tape, x, steps);
    return lstm_apply(tape, &n->lstms[i], x, lengths);
}

/* The cells of all LSTMs, [L+1,B,H], those before the first step in front; and what each ends with,
 * in last[]. */
static struct var *run_lstms(struct trainable *t, const struct memory *n, struct var *last[],
                             const struct lengths *lengths)
{
    struct tape *tape = &t->tape;
    const struct sequence *leader = &n->sequences[n->leader];
    size_t steps = leader->missing ? 1 : leader->frames.most, batch = t->record->samples;
    struct var *cells[MODALITIES];
    for (int i = 0; i < n->frames.count; i++) {
        struct states s = run_lstm(t, n, i, steps, lengths);
        cells[i] = s.c;
        last[i] = lstm_last(tape, &n->lstms[i], s.h, lengths);
    }
    struct var *all[] = {tape_zeros(tape, 3, (size_t[]){batch, 1, n->cells}),
                         op_concat(tape, n->frames.count, cells)};
    return op_turn(tape, op_concat_frames(tape, 2, all));
}

/* --- attention and memory --- */

/* What of a net is behind its first layer. */
static struct var *finish_net(struct tape *t, const struct two *net, struct var *x,
                              const char *place)
{
    x = op_relu(t, x, dropout_at(t, net->dropout, net->name, place));
    return linear_apply(t, &net->second, x);
}

static struct var *apply_net(struct tape *t, const struct two *net, struct var *x)
{
    return finish_net(t, net, linear_apply(t, &net->first, x), "inside");
}

/* A gate, sigmoid(net([e, m])): the first layer's products with e are made for all steps at once,
 * those with m at each. */
struct gate {
    const struct two *net;
    struct var *seen;   /* [L B,width], with the bias */
    struct var *weight; /* [width,M] */
};

static struct gate gate_begin(struct tape *t, const struct two *net, struct var *e, size_t size)
{
    struct var *w = net->first.weight;
    size_t width = e->shape[1];
    return (struct gate){
        net, op_linear(t, e, op_columns(t, (struct columns){w, 0}, width), net->first.bias),
        op_columns(t, (struct columns){w, width}, size)};
}

static struct var *gate_step(struct tape *t, const struct gate *g, struct var *m, size_t step)
{
    char place[32];
    size_t shape[] = {m->shape[0], g->weight->shape[0]};
    snprintf(place, sizeof place, "%zu", step);
    struct var *seen = tape_slice(t, g->seen, step * shape[0] * shape[1], 2, shape);
    struct var *x = op_add(t, op_linear(t, m, g->weight, NULL), seen, BROADCAST_NONE);
    return op_sigmoid(t, finish_net(t, g->net, x, place), (struct dropout){0});
}

/* All states of the memory, m[steps], each [B,M], of cells [L+1,B,H]. */
static void run_memory(struct tape *t, const struct memory *n, struct var *cells, size_t steps,
                       struct var *m[])
{
    size_t batch = cells->shape[1], rows[] = {steps * batch, n->cells}, state[] = {batch, n->size};
    struct var *pair = op_concat(t, 2,
                                 (struct var *[]){tape_slice(t, cells, 0, 2, rows),
                                                  tape_slice(t, cells, batch * n->cells, 2, rows)});
    struct var *e =
        op_multiply(t, op_softmax(t, apply_net(t, &n->nets[ATT1], pair)), pair, BROADCAST_NONE);
    struct var *candidate = op_tanh(t, apply_net(t, &n->nets[ATT2], e), (struct dropout){0});
    struct gate keeps = gate_begin(t, &n->nets[GAMMA1], e, n->size),
                writes = gate_begin(t, &n->nets[GAMMA2], e, n->size);
    struct var *before = tape_zeros(t, 2, state);
    for (size_t step = 0; step < steps; before = m[step++]) {
        struct var *new = tape_slice(t, candidate, step * batch * n->size, 2, state);
        struct var *keep = gate_step(t, &keeps, before, step),
                   *write = gate_step(t, &writes, before, step);
        m[step] = op_add(t, op_multiply(t, keep, before, BROADCAST_NONE),
                         op_multiply(t, write, new, BROADCAST_NONE), BROADCAST_NONE);
    }
}

static void forward(struct part *p)
{
    const struct memory *n = p->self;
    struct trainable *t = p->t;
    struct var *parts[MODALITIES + 1];
    const struct lengths *lengths = sequence_lengths(t, &n->sequences[n->leader]);
    struct var *cells = run_lstms(t, n, parts, lengths);
    size_t steps = cells->shape[0] - 1, batch = cells->shape[1];
    struct var **m = msa_calloc(t->m, steps, sizeof(struct var *));
    run_memory(&t->tape, n, cells, steps, m);
    struct var *all = op_concat_frames(&t->tape, (int)steps, m);
    parts[n->frames.count] = op_mean(&t->tape, all, batch, lengths->last);
    msa_free(t->m, m);
    trainable_output(t, "f", op_concat(&t->tape, n->frames.count + 1, parts));
}

const struct model fuse_memory = {
    .is = {.name = "memory",
           .summary = "an LSTM for each modality, and a memory that attends to all of them: MFN",
           .reads = "a modality [B,L,F]",
           .adds = "f [B,D], D being all of --hidden and --memory",
           .options = options,
           .settings_size = sizeof(struct settings),
           .takes = "dropout"},
    .size = sizeof(struct memory),
    .build = build,
    .forward = forward};
