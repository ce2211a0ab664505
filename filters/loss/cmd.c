/* cmd: similarity features of two modalities are to be distributed alike over the batch, in their
 * means and central moments: the central moment discrepancy. */
#include "filters/dmmsa/features.h"
#include "filters/loss/batch.h"
#include "filters/loss/loss.h"

enum { ORDERS = 5, PAIRS = MODALITIES * (MODALITIES - 1) / 2 };

static bool begin(struct loss *l, void *self)
{
    struct features *features = self;
    *features = features_find(l->m, &l->stage->header->schema);
    if (features_similarities(features) >= 2)
        return true;
    msa_warn(l->m, "task cmd is left out: it compares the similarity features of two modalities");
    return false;
}

/* x [B,N] -> the mean of each column and its central moments from the second on, side by side,
 * [1,ORDERS N] */
static struct var *moments_of(struct tape *t, struct var *x)
{
    struct var *centred = batch_centred(t, x), *power = centred;
    struct var *all[ORDERS] = {batch_mean(t, x)};
    for (int i = 1; i < ORDERS; i++) {
        power = op_multiply(t, power, centred, BROADCAST_NONE);
        all[i] = batch_mean(t, power);
    }
    return op_concat(t, ORDERS, all);
}

static struct var *compute(struct loss *l, void *self)
{
    const struct features *features = self;
    struct tape *t = &l->tape;
    struct var *moments[MODALITIES], *apart[PAIRS];
    int count = features_similarities(features), pairs = 0;
    for (int i = 0; i < count; i++)
        moments[i] = moments_of(t, loss_operand(l, features->names[i]));
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++)
            apart[pairs++] = batch_minus(t, moments[i], moments[k]);
    size_t shape[] = {(size_t)pairs * ORDERS, features->width};
    struct var *distances = op_euclidean(t, tape_view(t, op_concat(t, pairs, apart), 2, shape), 0);
    return op_affine(t, batch_mean_of_all(t, distances), ORDERS, 0);
}

const struct task loss_cmd = {
    .is = {.name = "cmd",
           .summary = "similarity features of all modalities are distributed alike, of weight 1",
           .reads = "s_MODALITY [B,D]",
           .adds = "s_MODALITY@cmd [B,D]"},
    .weight = "1",
    .size = sizeof(struct features),
    .begin = begin,
    .compute = compute};
