/* h_* [B,D] -> p_* [B,N], all of one width; of these what modalities share, s_*, by one layer for
 * all, what each has for itself, d_*, and r_*, p_* made anew of the two: MISA's (msa-model(7),
 * Decomposition of MISA). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/linear.h"
#include "common/nn/layers/norm.h"
#include "filters/decompose/decompose.h"

enum { MOST_DIM = 65536 };

struct settings {
    long dim; /* 0: not given */
};

/* A modality. */
struct one {
    bool there, arrives; /* what does not arrive counts as zeros */
    size_t width;        /* D */
    struct linear_layer project, private, recon;
    struct norm_layer norm;
};

struct spaces {
    struct one of[MODALITIES];
    struct linear_layer shared;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "dim", "N", OPTION_INT, FIELD(dim), NULL, 1, MOST_DIM,
     .help = "width of the features: 128 unless given; evaluation takes it from the parameters"},
    {0},
};
#undef FIELD

/* --- parameters --- */

/* MISA's name of a modality's layer, "project_t.project_t" and a suffix. */
static const char *name_layer(struct msa *m, const char *kind, int modality, const char *suffix)
{
    char letter = modality_names[modality][0];
    return msa_format(m, "%s_%c.%s_%c%s", kind, letter, kind, letter, suffix);
}

/* Is the modality there: in training as it arrives, in evaluation as FILE has it? */
static void look(struct trainable *t, int modality, struct one *one)
{
    char name[TENSOR_NAME + 1];
    const char *weight = msa_format(t->m, "%s.weight", name_layer(t->m, "project", modality, ""));
    const struct schema_entry *entry =
        schema_floats(t->m, &t->arrived, name_vector(name, 'h', modality), 2);
    const struct safetensor *kept = trainable_given(t, weight);
    one->there = t->given ? kept && kept->rank == 2 : entry != NULL;
    one->arrives = one->there && entry;
    if (one->there)
        one->width = entry ? entry->shape[1] : kept->shape[1];
}

static void look_at_all(struct trainable *t, struct spaces *all)
{
    char name[TENSOR_NAME + 1];
    const char *missing = "";
    bool some = false;
    for (int i = 0; i < MODALITIES; i++) {
        struct one *one = &all->of[i];
        look(t, i, one);
        some = some || one->arrives;
        if (one->there && !one->arrives)
            missing = msa_join(t->m, missing, ",", name_vector(name, 'h', i));
    }
    if (!some)
        msa_fail(t->m, MSA_FAILED,
                 "nothing to decompose: no h_text, h_vision or h_audio arrives%s%s",
                 t->given ? msa_format(t->m, " that %s has parameters for", t->given->path) : "",
                 t->given ? params_stranger(&t->params, t->given) : "");
    trainable_missing(t, "vectors", missing);
}

static void build_one(struct trainable *t, int modality, struct one *one, size_t dim)
{
    static const char outputs[] = "pdsr";
    struct params *params = &t->params;
    char name[TENSOR_NAME + 1];
    params->modality = modality;
    one->project = linear_layer(params, name_layer(t->m, "project", modality, ""), one->width, dim);
    one->norm = norm_layer(params, name_layer(t->m, "project", modality, "_layer_norm"), dim);
    one->private = linear_layer(
        params, name_layer(t->m, "private", modality, modality == AUDIO ? "_3" : "_1"), dim, dim);
    one->recon = linear_layer(params, name_layer(t->m, "recon", modality, "_1"), dim, dim);
    params->modality = -1;
    if (one->arrives)
        trainable_reads(t, name_vector(name, 'h', modality));
    for (const char *letter = outputs; *letter; letter++)
        trainable_adds(t, name_vector(name, *letter, modality), 2, (size_t[]){0, dim});
}

static void build(struct part *p)
{
    struct spaces *all = p->self;
    struct trainable *t = p->t;
    const struct settings *s = p->settings;
    size_t dim = (size_t)trainable_int(t, "dim", s->dim, 128, MOST_DIM);
    look_at_all(t, all);
    for (int i = 0; i < MODALITIES; i++)
        if (all->of[i].there)
            build_one(t, i, &all->of[i], dim);
    all->shared = linear_layer(&t->params, "shared.shared_1", dim, dim);
}

/* --- forward --- */

static struct var *sigmoid_layer(struct tape *t, const struct linear_layer *l, struct var *x)
{
    return op_sigmoid(t, linear_apply(t, l, x), (struct dropout){0});
}

static void output(struct trainable *t, char letter, int modality, struct var *x)
{
    char name[TENSOR_NAME + 1];
    trainable_output(t, name_vector(name, letter, modality), x);
}

static void decompose(struct trainable *t, const struct spaces *all, int modality)
{
    const struct one *one = &all->of[modality];
    struct tape *tape = &t->tape;
    char name[TENSOR_NAME + 1];
    struct var *h = one->arrives ? trainable_input(t, name_vector(name, 'h', modality))
                                 : tape_zeros(tape, 2, (size_t[]){t->record->samples, one->width});
    struct var *p = op_relu(tape, linear_apply(tape, &one->project, h), (struct dropout){0});
    p = op_norm(tape, p, NULL, one->norm.gain, one->norm.bias, NORM_EPS, (struct dropout){0});
    struct var *d = sigmoid_layer(tape, &one->private, p),
               *s = sigmoid_layer(tape, &all->shared, p);
    output(t, 'p', modality, p);
    output(t, 'd', modality, d);
    output(t, 's', modality, s);
    output(t, 'r', modality, linear_apply(tape, &one->recon, op_add(tape, d, s, BROADCAST_NONE)));
}

static void forward(struct part *p)
{
    const struct spaces *all = p->self;
    for (int i = 0; i < MODALITIES; i++)
        if (all->of[i].there)
            decompose(p->t, all, i);
}

const struct model decompose_shared = {
    .is = {.name = "shared",
           .summary = "what modalities share by one layer for all, what each has by its own, and "
                      "their reconstruction: MISA's",
           .reads = "h_MODALITY [B,D]",
           .adds = "p_MODALITY, s_MODALITY, d_MODALITY and r_MODALITY [B,N]",
           .options = options,
           .settings_size = sizeof(struct settings)},
    .size = sizeof(struct spaces),
    .build = build,
    .forward = forward};
