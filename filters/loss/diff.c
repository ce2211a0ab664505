/* diff: dissimilarity features are to have nothing in common with their modality's similarity
 * features, nor with those of other modalities: over the batch they are orthogonal. */
#include "filters/dmmsa/features.h"
#include "filters/loss/batch.h"
#include "filters/loss/loss.h"

static const float ROW_EPS = 1e-6F; /* added to a row's norm */

/* Are two features, indices of all, to be orthogonal? */
static bool is_pair(int one, int other)
{
    bool dissimilar = one >= MODALITIES && other >= MODALITIES;
    return dissimilar ? one < other : one < MODALITIES && other == one + MODALITIES;
}

/* How many pairs there are, f being what arrives. */
static int count_pairs(const struct features *f)
{
    int count = 0;
    for (int i = 0; i < f->count; i++)
        for (int k = 0; k < f->count; k++)
            count += is_pair(f->which[i], f->which[k]);
    return count;
}

static bool begin(struct loss *l, void *self)
{
    struct features *features = self;
    *features = features_find(l->m, &l->stage->header->schema);
    if (count_pairs(features))
        return true;
    msa_warn(l->m, "task diff is left out: no pair of features arrives that are to differ");
    return false;
}

/* x [B,N] minus its mean, each row of length 1; through the length no gradient goes back. */
static struct var *unit_rows(struct tape *t, struct var *x)
{
    struct var *centred = batch_centred(t, x);
    struct var *length = op_euclidean(t, tape_detached(t, centred), 0);
    return op_divide(t, centred, length, BROADCAST_COLUMN, ROW_EPS);
}

static struct var *compute(struct loss *l, void *self)
{
    const struct features *f = self;
    struct tape *t = &l->tape;
    struct var *units[FEATURES], *sum = NULL;
    for (int i = 0; i < f->count; i++)
        units[i] = unit_rows(t, loss_operand(l, f->names[i]));
    for (int i = 0; i < f->count; i++)
        for (int k = 0; k < f->count; k++) {
            if (!is_pair(f->which[i], f->which[k]))
                continue;
            struct var *one = batch_mean_square(t, op_matmul(t, units[i], units[k], true, false));
            sum = sum ? op_add(t, sum, one, BROADCAST_NONE) : one;
        }
    return sum;
}

const struct task loss_diff = {
    .is = {.name = "diff",
           .summary = "dissimilarity features are orthogonal to similarity features, and to one "
                      "another, of weight 1",
           .reads = "s_MODALITY and d_MODALITY [B,D]",
           .adds = "s_MODALITY@diff and d_MODALITY@diff [B,D]"},
    .weight = "1",
    .size = sizeof(struct features),
    .begin = begin,
    .compute = compute};
