/* msc: classification of sentiment, logits [B,C] against the class of the joint label. */
#include "common/metrics/metrics.h"
#include "filters/loss/loss.h"
#include <limits.h>
#include <string.h>

struct msc {
    enum family family;
    int classes; /* C */
};

static bool begin(struct loss *l, void *self)
{
    struct msc *x = self;
    size_t classes = loss_needs(l, "logits", 2)->shape[1];
    x->family = family_named(l->m, l->stage->header->family);
    x->classes = classes < INT_MAX ? (int)classes : 0;
    if (label_class(0, x->classes, x->family) < 0)
        msa_fail(l->m, MSA_FAILED, "task msc: %zu classes, but family %s has %s", classes,
                 family_names[x->family], x->family == FAMILY_SIMS ? "2, 3 or 5" : "2, 3, 5 or 7");
    return true;
}

static struct var *compute(struct loss *l, void *self)
{
    const struct msc *x = self;
    struct var *logits = loss_operand(l, "logits");
    size_t batch = logits->shape[0];
    int32_t *class_of = arena_take(&l->tape.nodes, batch * sizeof *class_of);
    const float *label = loss_label(l, LABEL_JOINT);
    for (size_t i = 0; i < batch; i++) {
        float one;
        memcpy(&one, label + i, sizeof one);
        class_of[i] = label_class(one, x->classes, x->family);
    }
    return op_cross_entropy(&l->tape, logits, loss_upload(l, class_of, batch));
}

const struct task loss_msc = {.is = {.name = "msc",
                                     .summary = "classification of sentiment, of weight 1",
                                     .reads = "logits [B,C] and label [B]",
                                     .adds = "logits@msc [B,C]"},
                              .weight = "1",
                              .labels = true,
                              .size = sizeof(struct msc),
                              .begin = begin,
                              .compute = compute};
