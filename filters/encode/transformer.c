/* Frames [B,L,F] -> one vector [B,D] by a transformer: ConFEDE's frame encoder (msa-model(7),
 * Encoders). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/frame_encoder.h"
#include "common/stage/trainable_frames.h"
#include "filters/encode/encode.h"
#include <stdio.h>
#include <string.h>

enum { MOST_HEADS = 1024 };

struct network {
    struct encoder encoder;
    struct frames frames;
};

struct settings {
    long heads, layers[MODALITIES]; /* 0: not given */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "heads", "N", OPTION_INT, FIELD(heads), NULL, 1, MOST_HEADS,
     .help = "attention heads: 8 unless given; evaluation takes it from the parameters"},
    {0, "layers", "N", OPTION_INT, FIELD(layers), NULL, 1, TRANSFORMER_LAYERS,
     .help =
         "transformer layers: text=1,vision=1,audio=2 for CH-SIMS and text=1,vision=2,audio=2 for "
         "MOSI unless given; evaluation takes them from the parameters",
     .keys = MODALITY_KEYS},
    {0},
};
#undef FIELD

static long usual_layers(const struct trainable *t, int modality)
{
    static const long sims[MODALITIES] = {1, 1, 2}, mosi[MODALITIES] = {1, 2, 2};
    return strcmp(t->stage->header->family, "sims") == 0 ? sims[modality] : mosi[modality];
}

/* --- sizes, in evaluation from the parameters --- */

/* A parameter of the network's first part in FILE; NULL where it is not there. */
static const struct safetensor *given(const struct trainable *t, const char *prefix,
                                      const char *parameter)
{
    char name[256];
    snprintf(name, sizeof name, "%s.encoder.pos_encoder.%s", prefix, parameter);
    return trainable_given(t, name);
}

static const char *usual_prefix(char prefix[64], int modality)
{
    snprintf(prefix, 64, "%s_encoder", modality_names[modality]);
    return prefix;
}

bool encode_transformer_given(const struct trainable *t, int modality)
{
    char prefix[64];
    return given(t, usual_prefix(prefix, modality), "proj.weight");
}

/* The second dimension of a parameter in FILE, `otherwise` where there is none. */
static size_t given_size(const struct trainable *t, const char *prefix, const char *parameter,
                         size_t otherwise)
{
    const struct safetensor *tensor = given(t, prefix, parameter);
    return tensor && tensor->rank > 1 ? tensor->shape[1] : otherwise;
}

/* Parameters are for frames of one width. Samples may have fewer frames than those that were
 * trained on: returns how many these had, the first position being that of CLS. */
static size_t frames_of(const struct trainable *t, const char *prefix,
                        const struct schema_entry *arrives)
{
    size_t width = given_size(t, prefix, "proj.weight", arrives->shape[2]);
    size_t positions = given_size(t, prefix, "position_embeddings", 1 + arrives->shape[1]);
    if (width != arrives->shape[2])
        msa_fail(t->m, MSA_CORRUPT, "%s is for %zu features in a frame of '%s', but %zu arrive",
                 t->given->path, width, arrives->name, arrives->shape[2]);
    if (positions < 1 + arrives->shape[1])
        msa_fail(t->m, MSA_CORRUPT, "%s is for %zu frames of '%s' at most, but %zu arrive",
                 t->given->path, positions ? positions - 1 : 0, arrives->name, arrives->shape[1]);
    return positions - 1;
}

/* --- the network --- */

static struct encoder_shape shape_of(struct part *p, const char *prefix,
                                     const struct schema_entry *arrives)
{
    const struct settings *s = p->settings;
    const struct encode *e = p->t->self;
    char key[64];
    snprintf(key, sizeof key, "layers.%s", modality_names[p->modality]);
    struct encoder_shape shape = {
        .frames = frames_of(p->t, prefix, arrives),
        .features = arrives->shape[2],
        .dim = e->dim,
        .heads = (size_t)trainable_int(p->t, "heads", s->heads, 8, MOST_HEADS),
        .layers = (size_t)trainable_int(p->t, key, s->layers[p->modality],
                                        usual_layers(p->t, p->modality), TRANSFORMER_LAYERS),
        .dropout = (float)e->settings->dropout[p->modality]};
    if (shape.dim % shape.heads)
        msa_fail(p->t->m, MSA_USAGE, "--dim %zu is no multiple of --heads %zu", shape.dim,
                 shape.heads);
    return shape;
}

static void build(struct part *p)
{
    struct network *n = p->self;
    struct trainable *t = p->t;
    const char *modality = modality_names[p->modality];
    char usual[64];
    const char *prefix =
        encode_prefix(t, &encode_transformer, p->modality, usual_prefix(usual, p->modality));
    const struct schema_entry *arrives = schema_floats(t->m, &t->arrived, modality, 3);
    struct encoder_shape shape = shape_of(p, prefix, arrives);
    n->encoder = encoder_layers(&t->params, prefix, shape);
    n->frames = trainable_frames(t, modality, prefix, shape.frames);
    encode_adds(p, shape.dim);
    encode_drop_modality(p, p->modality);
}

static void forward(struct part *p)
{
    const struct network *n = p->self;
    struct tape *tape = &p->t->tape;
    char name[TENSOR_NAME + 1];
    uint8_t *pad;
    struct var *x =
        frames_apply(tape, &n->frames, trainable_input(p->t, modality_names[p->modality]), &pad);
    trainable_output(p->t, name_vector(name, 'h', p->modality),
                     encoder_apply(tape, &n->encoder, x, pad));
}

const struct model encode_transformer = {
    .is = {.name = "transformer",
           .summary = "frames through a transformer, whose outputs are averaged",
           .reads = "a modality [B,L,F]",
           .adds = "h_MODALITY [B,D]",
           .options = options,
           .settings_size = sizeof(struct settings),
           .takes = "dim,dropout"},
    .size = sizeof(struct network),
    .build = build,
    .forward = forward};
