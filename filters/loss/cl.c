/* cl: contrast. The anchor is the first similarity feature; it is to be like the other similarity
 * features (positive pairs), and unlike all dissimilarity features (negative pairs). ConFEDE's is
 * also of each similarity feature with those of the sample's companions, of which the first two are
 * to be like it and the others unlike it, and of each companion by itself (msa-model(7)). */
#include "filters/dmmsa/features.h"
#include "filters/loss/loss.h"

/* A sample and its companions, of which so many come first that are alike. */
enum { GROUP = 7, ALIKE = 2 };
enum { CONFEDE = CONTRAST_NTXENT_PML + 1 };

struct settings {
    int contrast; /* enum contrast, or CONFEDE */
    double tau_m;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "contrast", "mntx|ntxent|ntxent-pml|confede", OPTION_CHOICE, FIELD(contrast), "mntx", 0, 0,
     .help =
         "Multi NT-Xent, NT-Xent, its mean by pairs, or that with companions as ConFEDE has it"},
    {0, "tau-m", "X", OPTION_REAL, FIELD(tau_m), "0.5", 1e-6, 1e6, .help = "temperature"},
    {0},
};
#undef FIELD

/* Do samples come with companions, in groups of GROUP? */
static bool in_groups(const value *map)
{
    return value_int(map, "group", 1) == GROUP;
}

static bool begin(struct loss *l, void *self)
{
    struct features *features = self;
    const struct settings *s = loss_settings(l);
    const struct header *h = l->stage->header;
    bool grouped = s->contrast != CONFEDE || in_groups(&h->map);
    *features = features_find(l->m, &h->schema);
    if (!grouped && h->train)
        msa_fail(l->m, MSA_FAILED,
                 "task cl: --contrast confede is between a sample and its companions, but none "
                 "arrive (msa-load --group %d)",
                 GROUP);
    if (grouped && features_similarities(features) >= 2)
        return true;
    msa_warn(l->m, "task cl is left out: %s",
             grouped ? "a positive pair needs two modalities" : "no companions arrive");
    return false;
}

/* --- inside a sample --- */

static struct var *contrast_inside(struct loss *l, const struct features *features)
{
    const struct settings *s = loss_settings(l);
    struct var *all[FEATURES];
    for (int i = 0; i < features->count; i++)
        all[i] = loss_operand(l, features->names[i]);
    struct var *cosines = op_cosines(&l->tape, all[0], features->count - 1, all + 1);
    return op_contrast(&l->tape, cosines, (size_t)features_similarities(features) - 1,
                       (enum contrast)s->contrast, (float)s->tau_m);
}

/* --- between a sample and its companions too --- */

/* An anchor of each row, and others: first those that are to be like it. */
struct pairs {
    struct var *anchor, *others[GROUP - 1 + FEATURES];
    int count, positives;
};

static void pair_with(struct pairs *p, struct var *other)
{
    p->others[p->count++] = other;
}

/* A loss so far, and the pairs that it is a mean of. */
struct mean {
    struct var *loss;
    int pairs;
};

/* Each anchor of a sample has the weight of its positives, `anchors` times. */
static void add_pairs(struct loss *l, struct mean *mean, const struct pairs *p, int anchors)
{
    const struct settings *s = loss_settings(l);
    int pairs = anchors * p->positives;
    struct var *cosines = op_cosines(&l->tape, p->anchor, p->count, p->others);
    struct var *loss =
        op_contrast(&l->tape, cosines, (size_t)p->positives, CONTRAST_NTXENT_PML, (float)s->tau_m);
    loss = op_affine(&l->tape, loss, (float)pairs, 0);
    mean->loss = mean->loss ? op_add(&l->tape, mean->loss, loss, BROADCAST_NONE) : loss;
    mean->pairs += pairs;
}

/* One feature: of the samples [B,D], and of their companions [6B,D], six rows each. */
struct grouped {
    struct var *own, *beside;
};

static struct grouped take_grouped(struct loss *l, const char *name)
{
    struct var *all = loss_operand(l, name);
    size_t batch = all->shape[0] / GROUP, width = all->shape[1];
    size_t own[] = {batch, width}, beside[] = {batch * (GROUP - 1), width};
    return (struct grouped){tape_slice(&l->tape, all, 0, 2, own),
                            tape_slice(&l->tape, all, batch * width, 2, beside)};
}

/* Companions `from` to `to` of each sample. */
static void pair_with_companions(struct loss *l, struct pairs *p, const struct grouped *g,
                                 size_t from, size_t to)
{
    size_t width = g->own->shape[1], rows[] = {g->own->shape[0], (GROUP - 1) * width};
    struct var *side_by_side = tape_view(&l->tape, g->beside, 2, rows);
    for (size_t i = from; i < to; i++)
        pair_with(p, op_columns(&l->tape, (struct columns){side_by_side, i * width}, width));
}

static struct var *contrast_between(struct loss *l, const struct features *features)
{
    struct grouped g[FEATURES] = {{0}};
    struct mean mean = {0};
    int similar = features_similarities(features), count = features->count;
    for (int i = 0; i < count; i++)
        g[i] = take_grouped(l, features->names[i]);
    for (int i = 0; i < similar; i++) { /* samples; the first feature with the others too */
        struct pairs p = {.anchor = g[i].own};
        pair_with_companions(l, &p, &g[i], 0, ALIKE);
        for (int j = 1; i == 0 && j < similar; j++)
            pair_with(&p, g[j].own);
        p.positives = p.count;
        pair_with_companions(l, &p, &g[i], ALIKE, GROUP - 1);
        for (int j = similar; i == 0 && j < count; j++)
            pair_with(&p, g[j].own);
        add_pairs(l, &mean, &p, 1);
    }
    struct pairs p = {.anchor = g[0].beside, .positives = similar - 1}; /* companions */
    for (int j = 1; j < count; j++)
        pair_with(&p, g[j].beside);
    add_pairs(l, &mean, &p, GROUP - 1);
    return op_affine(&l->tape, mean.loss, 1.0F / (float)mean.pairs, 0);
}

static struct var *compute(struct loss *l, void *self)
{
    const struct features *features = self;
    const struct settings *s = loss_settings(l);
    if (s->contrast != CONFEDE)
        return contrast_inside(l, features);
    if (!in_groups(&l->record->map)) /* as in validation */
        return NULL;
    if (l->record->samples % GROUP)
        frame_fail(l->m, &l->record->frame, NULL, "%zu samples are no groups of %d",
                   l->record->samples, GROUP);
    return contrast_between(l, features);
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
