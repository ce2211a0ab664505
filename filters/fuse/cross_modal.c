/* Frames of all modalities -> f [B,D]: every one looks at every other, frame by frame, and then at
 * itself: MulT (msa-model(7), Fusion). */
#include "common/nn/layers/conv.h"
#include "common/nn/layers/looking.h"
#include "common/stage/trainable_lengths.h"
#include "filters/fuse/fuse.h"
#include "filters/fuse/modalities.h"
#include <math.h>

enum { MOST_KERNEL = 1024, LEAST_LAYERS = 3 /* of what looks at itself */ };
enum { PADDING_SEEN, PADDING_MASK };
#define PADDING_WORDS "seen|mask|auto"
enum { LAST_FRAME, LAST_REAL };
#define LAST_WORDS "frame|real|auto"
enum { POSITIONS_NONE, POSITIONS_SINUSOID };
#define POSITIONS_WORDS "none|sinusoid|auto"
enum { AUTO = 2 };

struct settings {
    long layers, kernel[MODALITIES]; /* 0: not given */
    int padding, last, positions;
};

struct cross_modal {
    struct fused frames;                   /* text, audio, vision: those that are there */
    struct sequence sequences[MODALITIES]; /* in this order, as all below */
    struct conv_layer convolutions[MODALITIES];
    struct looking at_others[MODALITIES][MODALITIES]; /* of one at another */
    struct looking at_itself[MODALITIES];
    size_t dim, heads;
    int padding, last, positions;
    bool own; /* frames that are the samples' own are told from padding */
    float text_dropout, embed_dropout;
};

/* A modality's frames in forward(). */
struct view {
    struct var *x;           /* [B,L,d], scaled and placed */
    size_t length;           /* L */
    struct lengths own, all; /* the samples' own frames, as far as they matter, and all of them */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "layers", "N", OPTION_INT, FIELD(layers), NULL, 1, TRANSFORMER_LAYERS,
     .help = "layers of each transformer, of those that look at themselves 3 at least: 4 unless "
             "given; evaluation takes them from the parameters"},
    {0, "kernel", "N", OPTION_INT, FIELD(kernel), NULL, 1, MOST_KERNEL,
     .help = "frames that a convolution makes one of: 1 unless given; evaluation takes them from "
             "the parameters",
     .keys = MODALITY_KEYS},
    {0, "padding", PADDING_WORDS, OPTION_CHOICE, FIELD(padding), "auto", 0, 0,
     .help = "whether frames that are padding are looked at like others, or mask, by none; auto: "
             "seen, and in evaluation what the parameters are for"},
    {0, "last", LAST_WORDS, OPTION_CHOICE, FIELD(last), "auto", 0, 0,
     .help = "which frame f is read from: the record's last one, be it padding or not, or the "
             "sample's last real one; auto: frame, and in evaluation what the parameters are for"},
    {0, "positions", POSITIONS_WORDS, OPTION_CHOICE, FIELD(positions), "auto", 0, 0,
     .help = "what is added to frames to tell where they are; auto: none, and in evaluation what "
             "the parameters are for"},
    {0},
};
#undef FIELD

/* --- parameters --- */

static const char letters[MODALITIES] = {[TEXT] = 'l', [VISION] = 'v', [AUDIO] = 'a'};

static char letter(const struct cross_modal *n, int i)
{
    return letters[n->frames.of[i].modality];
}

/* At `source`: dropout of attention is by what is looked at. */
static struct looking build_looking(struct part *p, const char *name, size_t dim, size_t layers,
                                    int source)
{
    const struct cross_modal *n = p->self;
    const double *drop = ((const struct fuse_settings *)p->t->settings)->dropout;
    struct transformer shape = {.heads = n->heads,
                                .attention = (float)drop[DROP_LOOK + source],
                                .hidden = (float)drop[DROP_RESIDUAL],
                                .inner = (float)drop[DROP_RELU],
                                .count = layers};
    return looking_layers(&p->t->params, name, dim, &shape);
}

static void build_transformers(struct part *p, size_t layers)
{
    struct cross_modal *n = p->self;
    struct msa *m = p->t->m;
    int count = n->frames.count;
    size_t others = (size_t)count - 1;
    for (int q = 0; q < count; q++)
        for (int k = 0; k < count; k++)
            if (k != q)
                n->at_others[q][k] =
                    build_looking(p, msa_format(m, "trans_%c_with_%c", letter(n, q), letter(n, k)),
                                  n->dim, layers, n->frames.of[k].modality);
    for (int q = 0; q < count; q++)
        n->at_itself[q] =
            build_looking(p, msa_format(m, "trans_%c_mem", letter(n, q)), others * n->dim,
                          layers < LEAST_LAYERS ? LEAST_LAYERS : layers, TEXT);
}

static void build_frames(struct part *p, int i)
{
    const struct settings *s = p->settings;
    struct cross_modal *n = p->self;
    struct trainable *t = p->t;
    const struct fused_one *one = &n->frames.of[i];
    const char *prefix = msa_format(t->m, "proj_%c", letter(n, i));
    int modality = one->modality, own = n->own ? LENGTHS_OWN : LENGTHS_ALL;
    size_t kernel = (size_t)trainable_int(t, msa_format(t->m, "kernel.%s", one->name),
                                          s->kernel[modality], 1, MOST_KERNEL);
    n->sequences[i] = one->arrives ? trainable_sequence(t, modality, prefix, own)
                                   : trainable_no_sequence(t, modality, one->width, own);
    if (one->arrives && n->sequences[i].frames.most < kernel)
        msa_fail(t->m, MSA_USAGE, "--kernel %s=%zu is more than the %zu frames of '%s'", one->name,
                 kernel, n->sequences[i].frames.most, one->name);
    trainable_windows(t, modality, kernel);
    t->params.modality = modality;
    n->convolutions[i] = conv_layer(&t->params, prefix, one->width, n->dim, kernel);
    t->params.modality = -1;
    trainable_drop_modality(t, modality);
}

static void find_sizes(struct part *p)
{
    struct cross_modal *n = p->self;
    struct trainable *t = p->t;
    const struct fuse_settings *all = (const struct fuse_settings *)t->settings;
    n->dim = (size_t)trainable_int(t, "dim", all->dim, 50, FUSE_MOST);
    n->heads = (size_t)trainable_int(t, "heads", all->heads, 10, FUSE_HEADS);
    if (n->dim % n->heads)
        msa_fail(t->m, MSA_USAGE, "--dim %zu is no multiple of --heads %zu", n->dim, n->heads);
    if (n->frames.count < 2)
        msa_fail(t->m, MSA_FAILED,
                 "cross-modal: the frames of '%s' alone arrive, which can look at no others",
                 n->frames.of[0].name);
}

static void build(struct part *p)
{
    const struct settings *s = p->settings;
    struct cross_modal *n = p->self;
    struct trainable *t = p->t;
    const double *drop = ((const struct fuse_settings *)t->settings)->dropout;
    fuse_dropouts(t, CROSS_PLACES);
    n->text_dropout = (float)drop[DROP_TEXT], n->embed_dropout = (float)drop[DROP_EMBED];
    n->frames = fuse_frames(t, "text,audio,vision");
    find_sizes(p);
    n->padding = trainable_choice(t, "padding", PADDING_WORDS, s->padding, PADDING_SEEN);
    n->last = trainable_choice(t, "last", LAST_WORDS, s->last, LAST_FRAME);
    n->positions = trainable_choice(t, "positions", POSITIONS_WORDS, s->positions, POSITIONS_NONE);
    n->own = n->padding == PADDING_MASK || n->last == LAST_REAL;
    for (int i = 0; i < n->frames.count; i++)
        build_frames(p, i);
    build_transformers(p, (size_t)trainable_int(t, "layers", s->layers, 4, TRANSFORMER_LAYERS));
    size_t count = (size_t)n->frames.count;
    trainable_adds(t, "f", 2, (size_t[]){0, count * (count - 1) * n->dim});
}

/* --- forward --- */

/* x sqrt(d), and its frames' positions */
static struct var *place(struct tape *t, const struct cross_modal *n, struct var *x)
{
    x = op_affine(t, x, sqrtf((float)x->shape[x->rank - 1]), 0);
    return n->positions == POSITIONS_SINUSOID ? op_sinusoids(t, x) : x;
}

/* A modality that does not arrive is one frame of zeros, whatever its kernel. */
static struct view view_of(struct trainable *t, const struct cross_modal *n, int i)
{
    const struct sequence *s = &n->sequences[i];
    struct tape *tape = &t->tape;
    struct view v = {.own = *sequence_lengths(t, s)};
    if (s->missing) {
        v.x = tape_zeros(tape, 3, (size_t[]){t->record->samples, 1, n->dim});
    } else {
        struct var *x = sequence_frames(t, s);
        if (s->modality == TEXT)
            x = op_dropout(tape, x, dropout_at(tape, n->text_dropout, "proj_l", "input"));
        v.x = place(tape, n, conv_apply(tape, &n->convolutions[i], x));
    }
    v.length = v.x->shape[1];
    v.all = n->own ? op_lengths(tape, v.x->shape[0], v.length, NULL) : v.own;
    return v;
}

static struct var *embed(struct tape *t, const struct cross_modal *n, const struct looking *one,
                         struct var *x, const char *as)
{
    return op_dropout(t, x, dropout_at(t, n->embed_dropout, one->name, as));
}

/* The rows that can be looked at. */
static struct sequences rows_of(const struct cross_modal *n, const struct view *v)
{
    return (struct sequences){v->x->shape[0], v->length, NULL,
                              n->padding == PADDING_MASK ? v->own.all : NULL};
}

/* Query i sees keys up to i + |K - Q|. [B,Q,d] */
static struct var *look_at_other(struct tape *t, const struct cross_modal *n,
                                 const struct looking *one, const struct view *q,
                                 const struct view *k)
{
    size_t offset = k->length > q->length ? k->length - q->length : q->length - k->length;
    struct attended to = {.keys = embed(t, n, one, k->x, "keys"),
                          .queries = {q->x->shape[0], q->length, NULL, NULL},
                          .rows = rows_of(n, k),
                          .masked = true,
                          .offset = offset};
    to.values = n->embed_dropout > 0 && t->train ? embed(t, n, one, k->x, "values") : to.keys;
    return looking_apply(t, one, embed(t, n, one, q->x, "queries"), &to);
}

/* x [B,L,D] -> [B,D], its last frame */
static struct var *look_at_itself(struct tape *t, const struct cross_modal *n,
                                  const struct looking *one, const struct view *v, struct var *x)
{
    bool real = n->last == LAST_REAL;
    struct attended to = {.queries = {x->shape[0], v->length, NULL, NULL},
                          .rows = rows_of(n, v),
                          .masked = true,
                          .last = real ? v->own.last : v->all.last,
                          .seen = real || n->padding == PADDING_MASK ? v->own.all : v->all.all};
    return looking_apply(t, one, embed(t, n, one, place(t, n, x), "queries"), &to);
}

static void forward(struct part *p)
{
    const struct cross_modal *n = p->self;
    struct tape *tape = &p->t->tape;
    struct view views[MODALITIES];
    struct var *last[MODALITIES];
    int count = n->frames.count;
    for (int i = 0; i < count; i++)
        views[i] = view_of(p->t, n, i);
    for (int q = 0; q < count; q++) {
        struct var *seen[MODALITIES];
        int others = 0;
        for (int k = 0; k < count; k++)
            if (k != q)
                seen[others++] = look_at_other(tape, n, &n->at_others[q][k], &views[q], &views[k]);
        last[q] =
            look_at_itself(tape, n, &n->at_itself[q], &views[q], op_concat(tape, others, seen));
    }
    trainable_output(p->t, "f", op_concat(tape, count, last));
}

const struct model fuse_cross_modal = {
    .is = {.name = "cross-modal",
           .summary =
               "transformers by which each modality's frames look at every other one's: MulT",
           .reads = "a modality [B,L,F]",
           .adds = "f [B,D], D being 6 times --dim, of two modalities twice",
           .options = options,
           .settings_size = sizeof(struct settings),
           .takes = "dim,heads,dropout"},
    .size = sizeof(struct cross_modal),
    .build = build,
    .forward = forward};
