/* s_*, d_* [B,D] -> sentiment y [B], logits [B,C], and one prediction a feature, u [B,2M]
 * (msa-model(7), Heads). */
#include "common/nn/layers/mlp.h"
#include "filters/dmmsa/features.h"
#include "filters/predict/predict.h"
#include <stdlib.h>

struct joint {
    struct features arriving, features; /* that arrive; that the heads are made for */
    struct mlp decoder, classifier, mono;
    size_t classes; /* 0: there is no classifier */
    struct results results;
};

/* Evaluation's parameters know which features they are for. Zeros stand in for those that do not
 * arrive. */
static void find_features(struct trainable *t, struct joint *j)
{
    char some[FEATURES_TEXT], all[FEATURES_TEXT];
    j->arriving = features_find(t->m, &t->arrived);
    if (!j->arriving.count)
        msa_fail(t->m, MSA_FAILED, "nothing to predict from: no s_* or d_* arrives");
    const char *noted = trainable_noted(t, "features");
    j->features = noted ? features_listed(noted, j->arriving.width) : j->arriving;
    features_list(all, &j->features, NULL);
    if (*features_list(some, &j->arriving, &j->features))
        msa_fail(t->m, MSA_CORRUPT, "%s: made for the features %s alone, but there are %s too",
                 t->given->path, all, some);
    trainable_missing(t, "features", features_list(some, &j->features, &j->arriving));
    trainable_note(t, "features", all);
}

/* C; 0: there is no classifier. */
static size_t find_classes(struct trainable *t)
{
    bool given = option_given(t->m, "classes");
    const char *own = given ? msa_format(t->m, "%ld", predict_settings(t)->classes) : NULL,
               *text = trainable_text(t, "classes", own, "3");
    char *end;
    long classes = strtol(text, &end, 10);
    if (*end || classes < 0 || classes > MOST_CLASSES)
        msa_fail(t->m, MSA_CORRUPT, "%s is '%.32s' but expected a number from 0 to %d",
                 trainable_origin(t, "classes", given), text, MOST_CLASSES);
    return (size_t)classes;
}

static void build(struct part *p)
{
    struct trainable *t = p->t;
    struct joint *j = p->self;
    find_features(t, j);
    size_t dim = 2 * j->features.width, in = (size_t)j->features.count * j->features.width;
    j->classes = find_classes(t);
    if (dim < HEAD_LEAST)
        msa_fail(t->m, MSA_FAILED, "features of width %zu are too narrow for the heads (4)",
                 j->features.width);
    size_t regressor[] = {in, dim, dim / 2, dim / 4, dim / 8, 1};
    size_t classifier[] = {in, dim, dim / 2, dim / 4, dim / 8, j->classes};
    size_t mono[] = {j->features.width, dim / 4, dim / 8, 1};
    j->decoder = mlp_layers(&t->params, "TVA_decoder.MLP", 5, regressor);
    if (j->classes)
        j->classifier = mlp_layers(&t->params, "TVA_classifier.MLP", 5, classifier);
    j->mono = mlp_layers(&t->params, "mono_decoder.MLP", 3, mono);
    for (int i = 0; i < j->arriving.count; i++)
        trainable_reads(t, j->arriving.names[i]);
    results_build(p, &j->results, 0);
    if (j->classes)
        trainable_adds(t, "logits", 2, (size_t[]){0, j->classes});
    trainable_adds(t, "u", 2, (size_t[]){0, (size_t)j->arriving.count});
    trainable_columns(t, "u", j->arriving.names);
}

/* Those that arrive, side by side, and those that the heads are made for: [B,count D] each. */
static void take_features(struct trainable *t, const struct joint *j, struct var **arriving,
                          struct var **all)
{
    struct var *taken[FEATURES], *parts[FEATURES];
    for (int i = 0; i < j->arriving.count; i++)
        taken[i] = trainable_input(t, j->arriving.names[i]);
    *arriving = *all = op_concat(&t->tape, j->arriving.count, taken);
    if (j->arriving.count == j->features.count)
        return;
    struct var *zeros = tape_zeros(&t->tape, 2, taken[0]->shape);
    for (int i = 0; i < j->features.count; i++) {
        int at = features_index(&j->arriving, j->features.names[i]);
        parts[i] = at < 0 ? zeros : taken[at];
    }
    *all = op_concat(&t->tape, j->features.count, parts);
}

static void forward(struct part *p)
{
    struct trainable *t = p->t;
    const struct joint *j = p->self;
    struct var *arriving, *all;
    take_features(t, j, &arriving, &all);
    size_t batch = all->shape[0], count = (size_t)j->arriving.count;
    size_t rows[] = {batch * count, j->features.width};
    struct var *each = tape_view(&t->tape, arriving, 2, rows);
    struct var *y = mlp_apply(&t->tape, &j->decoder, all);
    struct var *u = mlp_apply(&t->tape, &j->mono, each);
    results_make(p, &j->results, all, y);
    if (j->classes)
        trainable_output(t, "logits", mlp_apply(&t->tape, &j->classifier, all));
    trainable_output(t, "u", tape_view(&t->tape, u, 2, (size_t[]){batch, count}));
}

const struct model predict_joint = {
    .is = {.name = "joint",
           .summary =
               "DMMSA's three heads: sentiment and class from all features, and sentiment from "
               "each feature by itself",
           .reads = "s_MODALITY and d_MODALITY [B,D]",
           .adds = "y [B], u [B,features] and, unless --classes is 0, logits [B,C]"},
    .size = sizeof(struct joint),
    .build = build,
    .forward = forward};
