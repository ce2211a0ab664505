/* cl: contrast. The anchor is the first similarity feature; it is to be like the other similarity
 * features (positive pairs), and unlike all dissimilarity features (negative pairs). */
#include "filters/dmmsa/features.h"
#include "filters/loss/loss.h"

struct settings {
    int contrast; /* enum contrast */
    double tau_m;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "contrast", "mntx|ntxent|ntxent-pml", OPTION_CHOICE, FIELD(contrast), "mntx", 0, 0,
     .help = "Multi NT-Xent, NT-Xent, or ConFEDE's"},
    {0, "tau-m", "X", OPTION_REAL, FIELD(tau_m), "0.5", 1e-6, 1e6, .help = "temperature"},
    {0},
};
#undef FIELD

static bool begin(struct loss *l, void *self)
{
    struct features *features = self;
    *features = features_find(l->m, &l->stage->header->schema);
    if (features_similarities(features) >= 2)
        return true;
    msa_warn(l->m, "task cl is left out: a positive pair needs two modalities");
    return false;
}

static struct var *compute(struct loss *l, void *self)
{
    const struct features *features = self;
    const struct settings *s = loss_settings(l);
    struct var *all[FEATURES];
    for (int i = 0; i < features->count; i++)
        all[i] = loss_operand(l, features->names[i]);
    struct var *cosines = op_cosines(&l->tape, all[0], features->count - 1, all + 1);
    return op_contrast(&l->tape, cosines, (size_t)features_similarities(features) - 1,
                       (enum contrast)s->contrast, (float)s->tau_m);
}

const struct task loss_cl = {
    .is = {.name = "cl",
           .summary = "contrast of similarity and dissimilarity features, of weight .5",
           .reads = "s_MODALITY and d_MODALITY [B,D]",
           .adds = "s_MODALITY@cl and d_MODALITY@cl [B,D]",
           .options = options,
           .settings_size = sizeof(struct settings)},
    .weight = ".5",
    .size = sizeof(struct features),
    .begin = begin,
    .compute = compute};
