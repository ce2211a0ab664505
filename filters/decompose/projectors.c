/* h_* [B,D] -> similarity s_* and dissimilarity d_* [B,D/2], each by a projector of its own
 * (msa-model(7), Decomposition). */
#include "common/nn/layers/projector.h"
#include "filters/decompose/decompose.h"
#include "filters/dmmsa/features.h"
#include <stdio.h>

enum { SIMILARITY, DISSIMILARITY, KINDS };
static const char kind_letters[KINDS] = {'s', 'd'};
static const char *const kind_names[KINDS] = {"simi", "dissimi"};

struct settings {
    double dropout;
};

struct projectors {
    bool present[MODALITIES];
    struct projector of[MODALITIES][KINDS];
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "dropout", "P", OPTION_REAL, FIELD(dropout), "0.5", 0, 0.999,
     .help = "dropout probability in training"},
    {0},
};
#undef FIELD

static void build_one(struct part *p, int modality, size_t dim)
{
    struct projectors *all = p->self;
    const struct settings *s = p->settings;
    for (int kind = 0; kind < KINDS; kind++) {
        char prefix[64], name[TENSOR_NAME + 1];
        snprintf(prefix, sizeof prefix, "%c_%s_proj", modality_letters[modality], kind_names[kind]);
        all->of[modality][kind] =
            projector_layers(&p->t->params, prefix, dim, dim / 2, (float)s->dropout);
        trainable_adds(p->t, name_vector(name, kind_letters[kind], modality), 2,
                       (size_t[]){0, dim / 2});
    }
}

static void build(struct part *p)
{
    struct trainable *t = p->t;
    struct projectors *all = p->self;
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++) {
        const struct schema_entry *entry =
            schema_floats(t->m, &t->arrived, name_vector(name, 'h', i), 2);
        all->present[i] = entry != NULL;
        if (!entry)
            continue;
        if (entry->shape[1] < 2)
            msa_fail(t->m, MSA_CORRUPT, "header: '%s' is of width 1, which has no half", name);
        trainable_reads(t, name);
        build_one(p, i, entry->shape[1]);
    }
    if (t->params.count == 0)
        msa_fail(t->m, MSA_FAILED, "nothing to decompose: no h_text, h_vision or h_audio arrives");
    trainable_note(t, "dropout", real_text(t->m, ((const struct settings *)p->settings)->dropout));
}

static void forward(struct part *p)
{
    struct trainable *t = p->t;
    const struct projectors *all = p->self;
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        for (int kind = 0; kind < KINDS && all->present[i]; kind++) {
            struct var *h = trainable_input(t, name_vector(name, 'h', i));
            trainable_output(t, name_vector(name, kind_letters[kind], i),
                             projector_apply(&t->tape, &all->of[i][kind], h));
        }
}

const struct model decompose_projectors = {
    .is = {.name = "projectors",
           .summary = "LayerNorm, Linear, Tanh and dropout, for each modality two",
           .reads = "h_MODALITY [B,D]",
           .adds = "s_MODALITY and d_MODALITY [B,D/2]",
           .options = options,
           .settings_size = sizeof(struct settings)},
    .size = sizeof(struct projectors),
    .build = build,
    .forward = forward};
