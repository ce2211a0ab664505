/* each: regression of what a modality says by itself, y_MODALITY [B], on its own label, or on the
 * joint one; samples may count for more or less, weight_MODALITY [B]. */
#include "common/dataset/tensor_names.h"
#include "filters/loss/loss.h"
#include <stdio.h>

struct each {
    char y[TENSOR_NAME + 1], label[TENSOR_NAME + 1], weight[TENSOR_NAME + 1];
};

static bool begin(struct loss *l, void *self)
{
    struct each *e = self;
    int modality = l->part->modality;
    snprintf(e->y, sizeof e->y, "y_%s", modality_names[modality]);
    snprintf(e->weight, sizeof e->weight, "weight_%s", modality_names[modality]);
    name_label(e->label, modality);
    return l->part->named ? loss_needs(l, e->y, 1) : loss_arrives(l, e->y, 1);
}

/* Of what arrives some records may have nothing, as those of validation have no pseudo-labels. */
static bool has(const struct loss *l, const char *name)
{
    return loss_arrives(l, name, 1) && record_find(l->record, name);
}

static struct var *compute(struct loss *l, void *self)
{
    const struct each *e = self;
    if (loss_arrives(l, e->label, 1) && !has(l, e->label))
        return NULL;
    struct var *y = loss_operand(l, e->y);
    const float *label = loss_upload(l, loss_label(l, l->part->modality), y->count), *weight = NULL;
    if (has(l, e->weight))
        weight = loss_upload(l, loss_numbers(l, e->weight), y->count);
    return op_regression(&l->tape, y, label, weight, (enum regression)l->settings->regression,
                         (float)l->settings->phi);
}

const struct task loss_each = {
    .is = {.name = "each",
           .summary = "regression of sentiment from each modality by itself: the tasks each_text, "
                      "each_vision and each_audio, of weight 1 each",
           .reads = "y_MODALITY [B], label_MODALITY or label [B], and weight_MODALITY [B] if it "
                    "arrives",
           .adds = "y_MODALITY@each_MODALITY [B]",
           .takes = "regression,phi"},
    .weight = "1",
    .labels = true,
    .by_modality = true,
    .size = sizeof(struct each),
    .begin = begin,
    .compute = compute};
