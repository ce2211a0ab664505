/* msa-predict: s_*, d_* -> sentiment y [B], logits [B,C] and one prediction a feature u [B,2M]
 * (msa-model(7), Heads). */
#include "common/data/names.h"
#include "common/nn/layers.h"
#include "common/trainable.h"
#include <stdio.h>

struct settings {
    struct trainable_settings trainable;
    long classes;
};

enum { MOST_CLASSES = 7 };

struct predict {
    const struct settings *settings;
    struct features arriving, features; /* that arrive; that the heads are made for */
    struct mlp decoder, classifier, mono;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "classes", "C", OPTION_INT, FIELD(classes), NULL, 2, MOST_CLASSES,
     "classes of the classifier: 2, 3, 5 or, for MOSI and MOSEI, 7; 3 unless given; evaluation "
     "takes it from the parameters"},
    {0},
};
#undef FIELD

/* Evaluation's parameters know which features they are for. Zeros stand in for those that do not
 * arrive. */
static void find_features(struct trainable *t, struct predict *p)
{
    char some[FEATURES_TEXT], all[FEATURES_TEXT];
    p->arriving = features_find(t->m, &t->arrived);
    if (!p->arriving.count)
        msa_fail(t->m, MSA_FAILED, "nothing to predict from: no s_* or d_* arrives");
    const char *noted = trainable_noted(t, "features");
    p->features = noted ? features_listed(noted, p->arriving.width) : p->arriving;
    features_list(all, &p->features, NULL);
    if (*features_list(some, &p->arriving, &p->features))
        msa_fail(t->m, MSA_CORRUPT, "%s: made for the features %s alone, but there are %s too",
                 t->given->path, all, some);
    if (*features_list(some, &p->features, &p->arriving))
        msa_warn(t->m, "of the features that %s is made for, %s do not arrive: they count as 0",
                 t->given->path, some);
    trainable_note(t, "features", all);
}

static void build(struct trainable *t)
{
    struct predict *p = t->self;
    find_features(t, p);
    size_t dim = 2 * p->features.width, in = (size_t)p->features.count * p->features.width;
    size_t classes = (size_t)trainable_int(t, "classes", p->settings->classes, 3, MOST_CLASSES);
    if (dim < 8)
        msa_fail(t->m, MSA_FAILED, "features of width %zu are too narrow for the heads (4)",
                 p->features.width);
    size_t regressor[] = {in, dim, dim / 2, dim / 4, dim / 8, 1};
    size_t classifier[] = {in, dim, dim / 2, dim / 4, dim / 8, classes};
    size_t mono[] = {p->features.width, dim / 4, dim / 8, 1};
    p->decoder = mlp_layers(&t->params, "TVA_decoder.MLP", 5, regressor);
    p->classifier = mlp_layers(&t->params, "TVA_classifier.MLP", 5, classifier);
    p->mono = mlp_layers(&t->params, "mono_decoder.MLP", 3, mono);
    trainable_declare(t, "y", 1, (size_t[]){0});
    trainable_declare(t, "logits", 2, (size_t[]){0, classes});
    trainable_declare(t, "u", 2, (size_t[]){0, (size_t)p->arriving.count});
}

/* Those that arrive, side by side, and those that the heads are made for. */
static void take_features(struct trainable *t, struct predict *p, struct var **arriving,
                          struct var **all)
{
    struct var *taken[FEATURES], *parts[FEATURES];
    for (int i = 0; i < p->arriving.count; i++)
        taken[i] = trainable_input(t, p->arriving.names[i]);
    *arriving = *all = op_concat(&t->tape, p->arriving.count, taken);
    if (p->arriving.count == p->features.count)
        return;
    struct var *zeros = tape_zeros(&t->tape, 2, taken[0]->shape);
    for (int i = 0; i < p->features.count; i++) {
        int at = features_index(&p->arriving, p->features.names[i]);
        parts[i] = at < 0 ? zeros : taken[at];
    }
    *all = op_concat(&t->tape, p->features.count, parts);
}

static void forward(struct trainable *t)
{
    struct predict *p = t->self;
    struct var *arriving, *all;
    take_features(t, p, &arriving, &all);
    size_t batch = all->shape[0], count = (size_t)p->arriving.count;
    size_t rows[] = {batch * count, p->features.width};
    struct var *each = tape_view(&t->tape, arriving, 2, rows);
    struct var *y = mlp_apply(&t->tape, &p->decoder, all);
    struct var *u = mlp_apply(&t->tape, &p->mono, each);
    trainable_output(t, "y", tape_view(&t->tape, y, 1, &batch));
    trainable_output(t, "logits", mlp_apply(&t->tape, &p->classifier, all));
    trainable_output(t, "u", tape_view(&t->tape, u, 2, (size_t[]){batch, count}));
}

static void run(struct msa *m)
{
    static const struct model model = {.build = build, .forward = forward};
    struct predict *p = msa_alloc(m, sizeof *p);
    p->settings = m->settings;
    trainable_run(m, &model, p);
}

static const struct example examples[] = {
    {"... | msa-decompose -p decompose.safetensors | msa-predict -p predict.safetensors | "
     "msa-metrics",
     "predict and judge"},
    {0},
};

static const struct program program = {
    .name = "msa-predict",
    .summary = "predict sentiment from similarity and dissimilarity features",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .more = trainable_options,
    .examples = examples,
    .see_also = "msa-decompose(1), msa-loss(1), msa-metrics(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
