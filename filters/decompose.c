/* msa-decompose: h_* [B,D] -> similarity s_* and dissimilarity d_* [B,D/2]
 * (msa-model(7), Decomposition). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/projector.h"
#include "common/stage/trainable.h"
#include <stdio.h>

struct settings {
    struct trainable_settings trainable;
    double dropout;
};

enum { SIMILARITY, DISSIMILARITY, KINDS };
static const char kind_letters[KINDS] = {'s', 'd'};
static const char *const kind_names[KINDS] = {"simi", "dissimi"};

struct decompose {
    const struct settings *settings;
    bool present[MODALITIES];
    struct projector projectors[MODALITIES][KINDS];
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), "0.5", 0, 0.999,
     .help = "dropout probability in training"},
    {0},
};
#undef FIELD

static void build_one(struct trainable *t, struct decompose *d, int modality, size_t dim)
{
    for (int kind = 0; kind < KINDS; kind++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "%c_%s_proj", modality_letters[modality], kind_names[kind]);
        d->projectors[modality][kind] =
            projector_layers(&t->params, prefix, dim, dim / 2, (float)d->settings->dropout);
    }
}

static void build(struct trainable *t)
{
    struct decompose *d = t->self;
    char name[TENSOR_NAME + 1];
    size_t half[MODALITIES] = {0};
    for (int i = 0; i < MODALITIES; i++) {
        const struct schema_entry *entry =
            schema_floats(t->m, &t->arrived, name_vector(name, 'h', i), 2);
        d->present[i] = entry != NULL;
        if (!entry)
            continue;
        if (entry->shape[1] < 2)
            msa_fail(t->m, MSA_CORRUPT, "header: '%s' is of width 1, which has no half", name);
        half[i] = entry->shape[1] / 2;
        build_one(t, d, i, entry->shape[1]);
    }
    for (int i = 0; i < MODALITIES; i++)
        for (int kind = 0; kind < KINDS && d->present[i]; kind++)
            trainable_declare(t, name_vector(name, kind_letters[kind], i), 2,
                              (size_t[]){0, half[i]});
    if (t->params.count == 0)
        msa_fail(t->m, MSA_FAILED, "nothing to decompose: no h_text, h_vision or h_audio arrives");
    trainable_note(t, "dropout", msa_format(t->m, "%g", d->settings->dropout));
}

static void forward(struct trainable *t)
{
    struct decompose *d = t->self;
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++) {
        if (!d->present[i])
            continue;
        struct var *h = trainable_input(t, name_vector(name, 'h', i));
        for (int kind = 0; kind < KINDS; kind++)
            trainable_output(t, name_vector(name, kind_letters[kind], i),
                             projector_apply(&t->tape, &d->projectors[i][kind], h));
    }
}

static void run(struct msa *m)
{
    static const struct model model = {.build = build, .forward = forward};
    struct decompose *d = msa_alloc(m, sizeof *d);
    d->settings = m->settings;
    trainable_run(m, &model, d);
}

static const struct example examples[] = {
    {"... | msa-encode -p encode.safetensors | msa-decompose -p decompose.safetensors | ...",
     "train, or evaluate, the projectors"},
    {0},
};

static const struct program program = {
    .name = "msa-decompose",
    .summary = "split each modality's vector into similarity and dissimilarity features",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .more = trainable_options,
    .examples = examples,
    .see_also = "msa-encode(1), msa-predict(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
