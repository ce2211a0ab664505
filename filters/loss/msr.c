/* msr: regression of sentiment y [B] on the joint label. */
#include "filters/loss/loss.h"

static bool begin(struct loss *l, void *self)
{
    (void)self;
    return loss_needs(l, "y", 1);
}

static struct var *compute(struct loss *l, void *self)
{
    struct var *y = loss_operand(l, "y");
    (void)self;
    return op_regression(&l->tape, y, loss_upload(l, loss_label(l, LABEL_JOINT), y->count), NULL,
                         (enum regression)l->settings->regression, (float)l->settings->phi);
}

const struct task loss_msr = {.is = {.name = "msr",
                                     .summary = "regression of sentiment, of weight 1",
                                     .reads = "y [B] and label [B]",
                                     .adds = "y@msr [B]",
                                     .takes = "regression,phi"},
                              .weight = "1",
                              .labels = true,
                              .begin = begin,
                              .compute = compute};
