/* msa-encode: each modality's frames [B,L,F], and text's tokens [B,3,L] -> one vector [B,D]
 * (msa-model(7), Encoders, Text). */
#include "common/dataset/tensor_names.h"
#include "common/formats/bert_checkpoint.h"
#include "common/nn/layers/frame_encoder.h"
#include "common/stage/text_bert.h"
#include "common/stream/tensor_codec.h"
#include <stdio.h>
#include <string.h>

struct settings {
    struct trainable_settings trainable;
    const char *only, *layers;
    struct text_bert_settings text;
    long dim, heads;
    double dropout;
    bool keep;
};

enum { MOST_DIM = 65536, MOST_HEADS = 1024 };

struct encode {
    const struct settings *settings;
    bool encodes[MODALITIES];
    long layers[MODALITIES]; /* as --layers says; 0: not said */
    struct encoder encoders[MODALITIES];
    bool tokens; /* text comes as tokens, and goes through BERT */
    struct text_bert text;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "only", "LIST", OPTION_TEXT, FIELD(only), NULL, 0, 0,
     .help = "encode these modalities alone, of text,vision,audio; the others pass; evaluation "
             "takes it "
             "from the parameters"},
    {0, "text", "features|bert|auto", OPTION_CHOICE, FIELD(text.text), "auto", 0, 0,
     .help = "what text is encoded from: its features per token, or token ids by BERT; auto: by "
             "BERT with "
             "--bert, and with parameters that are of one"},
    {0, "bert", "DIR", OPTION_READS, FIELD(text.bert), NULL, 0, 0,
     .help =
         "a BERT as Hugging Face writes it, which gives initial values: a folder with config.json "
         "and model.safetensors, or the latter beside the former",
     .folder = bert_files},
    {0, "pool", "pooler|cls|mean|none|auto", OPTION_CHOICE, FIELD(text.pool), "auto", 0, 0,
     .help = "the vector that BERT makes of a text: by its pooler, of the first token, or the mean "
             "over "
             "all; none leaves one a token, as features text (not in training); auto: pooler; "
             "evaluation "
             "takes it from the parameters"},
    {0, "dim", "N", OPTION_INT, FIELD(dim), NULL, 1, MOST_DIM,
     .help = "width D of the encoders: BERT's or 768 unless given; evaluation takes it from the "
             "parameters"},
    {0, "heads", "N", OPTION_INT, FIELD(heads), NULL, 1, MOST_HEADS,
     .help = "attention heads: 8 unless given; evaluation takes it from the parameters"},
    {0, "layers", "LIST", OPTION_TEXT, FIELD(layers), NULL, 0, 0,
     .help =
         "transformer layers by modality: text=1,vision=1,audio=2 for CH-SIMS and "
         "text=1,vision=2,audio=2 for MOSI unless given; evaluation takes it from the parameters"},
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), "0.5", 0, 0.999,
     .help = "dropout probability in training"},
    {0, "keep", NULL, OPTION_FLAG, FIELD(keep), NULL, 0, 0,
     .help = "leave the features in the records, beside the vectors made of them"},
    {0},
};
#undef FIELD

static int modality_named(struct msa *m, const char *option, const char *name)
{
    for (int i = 0; i < MODALITIES; i++)
        if (option_names(name, modality_names[i]))
            return i;
    msa_fail(m, MSA_USAGE, "--%s: '%s' is no modality (text, vision or audio)", option, name);
}

static void set_layers(struct msa *m, void *closure, const char *key, const char *text)
{
    struct encode *e = closure;
    e->layers[modality_named(m, "layers", key)] =
        option_int(m, "layers", text, 1, TRANSFORMER_LAYERS);
}

static long usual_layers(const struct trainable *t, int modality)
{
    static const long sims[MODALITIES] = {1, 1, 2}, mosi[MODALITIES] = {1, 2, 2};
    return strcmp(t->stage->header->family, "sims") == 0 ? sims[modality] : mosi[modality];
}

/* What msa-load --standardize put into the header, or evaluation's parameters
 * keep; NULL: nothing. */
static const float *standardization(struct trainable *t, const char *modality, const char *what,
                                    size_t width)
{
    char name[128], wrong[256];
    snprintf(name, sizeof name, "%s_encoder.standardize.%s", modality, what);
    const struct safetensor *given = trainable_given(t, name);
    if (given)
        return given->count == width ? given->data : NULL;
    const value *all = value_get(&t->stage->header->map, "standardize");
    const value *v = value_get(value_get(all, modality), what);
    struct tensor *host = msa_alloc(t->m, sizeof *host);
    const char *bad = v ? value_tensor(v, what, strlen(what), host, wrong) : NULL;
    if (bad || (v && (host->dtype != F4 || host->count != width)))
        msa_fail(t->m, MSA_CORRUPT, "header: standardize of '%s': %s", modality,
                 bad ? bad : "not one float32 a feature");
    return v && t->stage->header->train ? host->data : NULL;
}

/* In evaluation a parameter of the first part of this encoder; NULL where it is not there. */
static const struct safetensor *given(const struct trainable *t, const char *modality,
                                      const char *parameter)
{
    char name[128];
    snprintf(name, sizeof name, "%s_encoder.encoder.pos_encoder.%s", modality, parameter);
    return trainable_given(t, name);
}

/* Its second dimension, `otherwise` where there is none. */
static size_t given_size(const struct trainable *t, const char *modality, const char *parameter,
                         size_t otherwise)
{
    const struct safetensor *tensor = given(t, modality, parameter);
    return tensor && tensor->rank > 1 ? tensor->shape[1] : otherwise;
}

/* Parameters are for frames of one width. Samples may have fewer of them than those that were
 * trained on: returns how many these had, the first position being that of CLS. */
static size_t frames_of(const struct trainable *t, const char *modality,
                        const struct schema_entry *arrives)
{
    size_t width = given_size(t, modality, "proj.weight", arrives->shape[2]);
    size_t places = given_size(t, modality, "position_embeddings", 1 + arrives->shape[1]);
    if (width != arrives->shape[2])
        msa_fail(t->m, MSA_CORRUPT, "%s is for %zu features in a frame of '%s', but %zu arrive",
                 t->given->path, width, modality, arrives->shape[2]);
    if (places < 1 + arrives->shape[1])
        msa_fail(t->m, MSA_CORRUPT, "%s is for %zu frames of '%s' at most, but %zu arrive",
                 t->given->path, places ? places - 1 : 0, modality, arrives->shape[1]);
    return places - 1;
}

/* Frames. */
static void build_encoder(struct trainable *t, struct encode *e, int modality, size_t dim)
{
    const char *name = modality_names[modality];
    const struct schema_entry *entry = trainable_arrives(t, name);
    char prefix[64], key[64];
    snprintf(prefix, sizeof prefix, "%s_encoder", name);
    snprintf(key, sizeof key, "layers.%s", name);
    struct encoder_shape shape = {
        .frames = frames_of(t, name, entry),
        .features = entry->shape[2],
        .dim = dim,
        .heads = (size_t)trainable_int(t, "heads", e->settings->heads, 8, MOST_HEADS),
        .layers = (size_t)trainable_int(t, key, e->layers[modality], usual_layers(t, modality),
                                        TRANSFORMER_LAYERS),
        .dropout = (float)e->settings->dropout};
    if (shape.dim % shape.heads)
        msa_fail(t->m, MSA_USAGE, "--dim %zu is no multiple of --heads %zu", shape.dim,
                 shape.heads);
    const float *mean = standardization(t, name, "mean", shape.features),
                *scale = standardization(t, name, "scale", shape.features);
    if (!mean != !scale)
        msa_fail(t->m, MSA_CORRUPT, "standardize of '%s': one of mean and scale is missing", name);
    e->encoders[modality] = encoder_layers(&t->params, prefix, shape, mean, scale);
}

/* Evaluation's parameters know which modalities they are for. */
static bool has_parameters(const struct trainable *t, const char *modality)
{
    return !t->given || given(t, modality, "proj.weight");
}

/* Are its frames to be encoded? */
static bool wants_frames(const struct encode *e, const struct trainable *t, int modality)
{
    const char *name = modality_names[modality];
    const char *only = e->settings->only;
    if (!trainable_arrives(t, name) || (modality == TEXT && e->tokens) ||
        (only ? !option_names(only, name) : !has_parameters(t, name)))
        return false;
    schema_floats(t->m, &t->arrived, name, 3);
    return true;
}

/* What has been encoded leaves the record, or the schema; features that BERT has made stay. */
static void drop_encoded(struct trainable *t, const struct encode *e)
{
    for (int i = 0; i < MODALITIES && !e->settings->keep; i++) {
        if (e->encodes[i] && !(i == TEXT && e->tokens && e->text.features))
            trainable_drop(t, modality_names[i]);
        if (e->encodes[i] && i == TEXT)
            trainable_drop(t, text_bert_name);
    }
}

static void declare(struct trainable *t, const struct encode *e, size_t dim)
{
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        if (i == TEXT && e->tokens)
            text_bert_declare(t, &e->text);
        else if (e->encodes[i])
            trainable_declare(t, name_vector(name, 'h', i), 2, (size_t[]){0, dim});
}

/* Vectors that stages before have made may be all that there is. */
static void check_any(const struct trainable *t, const struct encode *e)
{
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        if (e->encodes[i] || trainable_arrives(t, name_vector(name, 'h', i)))
            return;
    msa_fail(t->m, MSA_FAILED, "nothing to encode: no text, vision or audio arrives%s%s",
             e->settings->only ? " of those that --only names" : "",
             t->given ? " that the parameters are for" : "");
}

/* What is encoded, which --only and the data tell; noted, as other parameters are of others. */
static void note_modalities(struct trainable *t, struct encode *e)
{
    const char *all = "";
    for (int i = 0; i < MODALITIES; i++) {
        e->encodes[i] = wants_frames(e, t, i) || (i == TEXT && e->tokens);
        if (e->encodes[i])
            all = msa_format(t->m, "%s%s%s", all, *all ? "," : "", modality_names[i]);
    }
    trainable_note(t, "modalities", all);
}

static void build(struct trainable *t)
{
    struct encode *e = t->self;
    const struct settings *s = e->settings;
    struct bert_config config;
    e->tokens = (!s->only || option_names(s->only, modality_names[TEXT])) &&
                text_bert_wanted(t, &s->text, &config);
    long usual = e->tokens ? (long)config.dim : 768;
    size_t dim = (size_t)trainable_int(t, "dim", s->dim, usual, MOST_DIM);
    if (e->tokens && dim != config.dim)
        msa_fail(t->m, MSA_USAGE, "--dim %zu, but BERT's vectors are of width %zu", dim,
                 config.dim);
    if (e->tokens)
        e->text = text_bert_build(t, &s->text, &config);
    else
        text_bert_refuse(t->m, &s->text);
    note_modalities(t, e);
    for (int i = 0; i < MODALITIES; i++)
        if (e->encodes[i] && !(i == TEXT && e->tokens))
            build_encoder(t, e, i, dim);
    check_any(t, e);
    declare(t, e, dim);
    drop_encoded(t, e);
    trainable_note(t, "dropout", msa_format(t->m, "%g", s->dropout));
}

_Static_assert((int)MODALITIES < (int)LANES, "a lane for each, beside the first");

/* Encoders of frames have nothing to do with each other, so each has a lane of its own. */
static void forward(struct trainable *t)
{
    struct encode *e = t->self;
    struct var *x[MODALITIES] = {NULL};
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        if (i == TEXT && e->tokens)
            text_bert_forward(t, &e->text);
        else if (e->encodes[i])
            x[i] = trainable_input(t, modality_names[i]);
    for (int i = 0; i < MODALITIES; i++)
        if (x[i]) {
            tape_lane(&t->tape, 1 + (unsigned)i);
            x[i] = encoder_apply(&t->tape, &e->encoders[i], x[i]);
        }
    tape_lane(&t->tape, 0);
    for (int i = 0; i < MODALITIES; i++)
        if (x[i])
            trainable_output(t, name_vector(name, 'h', i), x[i]);
    drop_encoded(t, e);
}

static void run(struct msa *m)
{
    static const struct model model = {.build = build, .forward = forward};
    struct encode *e = msa_alloc(m, sizeof *e);
    e->settings = m->settings;
    if (e->settings->only)
        option_subset(m, "only", e->settings->only, modality_names, MODALITIES);
    if (e->settings->layers)
        option_pairs(m, "layers", e->settings->layers, e, set_layers);
    trainable_run(m, &model, e);
}

static const struct example examples[] = {
    {"msa-load --train data.pkl | msa-encode -p encode.safetensors | ...",
     "train encoders of the family's usual size"},
    {"msa-load --split test data.pkl | msa-encode -p encode.safetensors | msa-dump",
     "look at the vectors of the test split"},
    {"msa-load --train data.pkl | msa-encode --only text -p text.safetensors | ...",
     "the same line with text alone"},
    {"msa-load data.pkl | msa-encode --only text --bert minilm --pool mean -z -o text.msa.gz",
     "what a BERT makes of the texts, computed once for all trainings on text.msa.gz"},
    {0},
};

static const struct program program = {
    .name = "msa-encode",
    .summary = "encode the frames of each modality into one vector",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .more = trainable_options,
    .examples = examples,
    .see_also = "msa-load(1), msa-decompose(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
