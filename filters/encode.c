/* msa-encode: each modality's frames [B,L,F] -> one vector [B,D] (msa-model(7), Encoders). */
#include "common/data/names.h"
#include "common/nn/encoder.h"
#include "common/trainable.h"
#include <stdio.h>

struct settings {
    struct trainable_settings trainable;
    const char *only, *layers;
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
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "only", "LIST", OPTION_TEXT, FIELD(only), NULL, 0, 0,
     "encode these modalities alone, of text,vision,audio; the others pass; evaluation takes it "
     "from the parameters"},
    {0, "dim", "N", OPTION_INT, FIELD(dim), NULL, 1, MOST_DIM,
     "width D of the encoders: 768 unless given; evaluation takes it from the parameters"},
    {0, "heads", "N", OPTION_INT, FIELD(heads), NULL, 1, MOST_HEADS,
     "attention heads: 8 unless given; evaluation takes it from the parameters"},
    {0, "layers", "LIST", OPTION_TEXT, FIELD(layers), NULL, 0, 0,
     "transformer layers by modality: text=1,vision=1,audio=2 for CH-SIMS and "
     "text=1,vision=2,audio=2 for MOSI unless given; evaluation takes it from the parameters"},
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), "0.5", 0, 0.999,
     "dropout probability in training"},
    {0, "keep", NULL, OPTION_FLAG, FIELD(keep), NULL, 0, 0,
     "leave the features in the records, beside the vectors made of them"},
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

static void build_one(struct trainable *t, struct encode *e, int modality)
{
    const char *name = modality_names[modality];
    const struct schema_entry *entry = trainable_arrives(t, name);
    char prefix[64], key[64];
    snprintf(prefix, sizeof prefix, "%s_encoder", name);
    snprintf(key, sizeof key, "layers.%s", name);
    struct encoder_shape shape = {
        .frames = entry->shape[1],
        .features = entry->shape[2],
        .dim = (size_t)trainable_int(t, "dim", e->settings->dim, 768, MOST_DIM),
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
    char name[128];
    snprintf(name, sizeof name, "%s_encoder.encoder.pos_encoder.proj.weight", modality);
    return !t->given || trainable_given(t, name);
}

static bool wanted(const struct encode *e, const struct trainable *t, int modality)
{
    const char *name = modality_names[modality];
    const char *only = e->settings->only;
    if (!trainable_arrives(t, name) ||
        (only ? !option_names(only, name) : !has_parameters(t, name)))
        return false;
    schema_floats(t->m, &t->arrived, name, 3);
    return true;
}

static void build(struct trainable *t)
{
    struct encode *e = t->self;
    int any = 0;
    for (int i = 0; i < MODALITIES; i++) {
        e->encodes[i] = wanted(e, t, i);
        if (e->encodes[i])
            build_one(t, e, i);
        any += e->encodes[i];
    }
    if (!any)
        msa_fail(t->m, MSA_FAILED, "nothing to encode: no text, vision or audio arrives%s%s",
                 e->settings->only ? " of those that --only names" : "",
                 t->given ? " that the parameters are for" : "");
    for (int i = 0; i < MODALITIES; i++) {
        char name[TENSOR_NAME + 1];
        if (!e->encodes[i])
            continue;
        trainable_declare(t, name_vector(name, 'h', i), 2, (size_t[]){0, e->encoders[i].shape.dim});
        if (!e->settings->keep)
            trainable_drop(t, modality_names[i]);
    }
    trainable_note(t, "dropout", msa_format(t->m, "%g", e->settings->dropout));
}

static void forward(struct trainable *t)
{
    struct encode *e = t->self;
    for (int i = 0; i < MODALITIES; i++) {
        if (!e->encodes[i])
            continue;
        char name[TENSOR_NAME + 1];
        struct var *x = trainable_input(t, modality_names[i]);
        trainable_output(t, name_vector(name, 'h', i), encoder_apply(&t->tape, &e->encoders[i], x));
        if (!e->settings->keep)
            trainable_drop(t, modality_names[i]);
    }
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
