/* msa-predict: s_*, d_* -> sentiment y [B], logits [B,C] and one prediction a feature u [B,2M]; or
 * one modality's h_* -> y [B] (msa-model(7), Heads). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/mlp.h"
#include "common/stage/trainable.h"
#include <stdio.h>
#include <string.h>

struct settings {
    struct trainable_settings trainable;
    int head;
    long classes;
};

enum { HEAD_JOINT, HEAD_UNIMODAL, HEAD_AUTO, HEADS = HEAD_AUTO };
static const char *const head_names[HEADS] = {"joint", "unimodal"};
enum { MOST_CLASSES = 7, LEAST_DIM = 8 };

struct predict {
    const struct settings *settings;
    bool unimodal;
    struct features arriving, features;   /* that arrive; that the joint heads are made for */
    char vector[TENSOR_NAME + 1];         /* that the unimodal head is made for */
    struct mlp decoder, classifier, mono; /* the last two are joint ones */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "head", "joint|unimodal|auto", OPTION_CHOICE, FIELD(head), "auto", 0, 0,
     "predict from all s_* and d_*, or from the one h_* that arrives; auto: joint, and in "
     "evaluation what the parameters are for"},
    {0, "classes", "C", OPTION_INT, FIELD(classes), NULL, 2, MOST_CLASSES,
     "classes of the classifier: 2, 3, 5 or, for MOSI and MOSEI, 7; 3 unless given; evaluation "
     "takes it from the parameters"},
    {0},
};
#undef FIELD

/* --- which heads --- */

/* As said; in evaluation as the parameters say, or as they are where they say nothing. */
static int find_head(struct trainable *t, int given)
{
    const char *noted = trainable_noted(t, "head");
    int kept = noted && strcmp(noted, head_names[HEAD_UNIMODAL]) == 0 ? HEAD_UNIMODAL : HEAD_JOINT;
    if (t->given && given != HEAD_AUTO && given != kept)
        msa_fail(t->m, MSA_USAGE, "--head: %s given but %s has %s", head_names[given],
                 t->given->path, head_names[kept]);
    int head = given == HEAD_AUTO ? kept : given;
    trainable_note(t, "head", head_names[head]);
    return head;
}

/* --- joint --- */

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

static void build_joint(struct trainable *t, struct predict *p)
{
    find_features(t, p);
    size_t dim = 2 * p->features.width, in = (size_t)p->features.count * p->features.width;
    size_t classes = (size_t)trainable_int(t, "classes", p->settings->classes, 3, MOST_CLASSES);
    if (dim < LEAST_DIM)
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
    trainable_columns(t, "u", p->arriving.names);
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

static void forward_joint(struct trainable *t, struct predict *p)
{
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

/* --- unimodal --- */

/* The modality of the only h_* that arrives. */
static int find_vector(struct trainable *t)
{
    char name[TENSOR_NAME + 1];
    int found = -1;
    for (int i = 0; i < MODALITIES; i++) {
        if (!trainable_arrives(t, name_vector(name, 'h', i)))
            continue;
        if (found >= 0)
            msa_fail(t->m, MSA_FAILED,
                     "--head unimodal predicts from one h_*, but h_%s and h_%s arrive: "
                     "msa-encode --only makes one",
                     modality_names[found], modality_names[i]);
        found = i;
    }
    if (found < 0)
        msa_fail(t->m, MSA_FAILED, "nothing to predict from: no h_* arrives");
    return found;
}

static void build_unimodal(struct trainable *t, struct predict *p)
{
    int modality = find_vector(t);
    const struct schema_entry *entry =
        schema_floats(t->m, &t->arrived, name_vector(p->vector, 'h', modality), 2);
    size_t dim = entry->shape[1], widths[] = {dim, dim / 2, dim / 4, dim / 8, 1};
    if (p->settings->classes)
        msa_fail(t->m, MSA_USAGE, "--classes goes with --head joint");
    if (dim < LEAST_DIM)
        msa_fail(t->m, MSA_FAILED, "'%s' of width %zu is too narrow for the head (%d)", p->vector,
                 dim, LEAST_DIM);
    p->decoder = mlp_layers(
        &t->params, msa_format(t->m, "%s_decoder.MLP", modality_names[modality]), 4, widths);
    trainable_declare(t, "y", 1, (size_t[]){0});
}

static void forward_unimodal(struct trainable *t, struct predict *p)
{
    struct var *y = mlp_apply(&t->tape, &p->decoder, trainable_input(t, p->vector));
    trainable_output(t, "y", tape_view(&t->tape, y, 1, y->shape));
}

/* --- the stage --- */

static void build(struct trainable *t)
{
    struct predict *p = t->self;
    p->unimodal = find_head(t, p->settings->head) == HEAD_UNIMODAL;
    if (p->unimodal)
        build_unimodal(t, p);
    else
        build_joint(t, p);
}

static void forward(struct trainable *t)
{
    struct predict *p = t->self;
    if (p->unimodal)
        forward_unimodal(t, p);
    else
        forward_joint(t, p);
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
    {"... | msa-encode --only text -p text.safetensors | msa-predict --head unimodal -p "
     "head.safetensors | msa-loss --tasks msr --regression mse | msa-backprop",
     "train an encoder on its own modality"},
    {0},
};

static const struct program program = {
    .name = "msa-predict",
    .summary = "predict sentiment from similarity and dissimilarity features, or from one vector",
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
