/* The one column of f [B,1] is sentiment y [B] (msa-model(7), Heads). */
#include "filters/predict/predict.h"

static void build(struct part *p)
{
    const struct schema_entry *f = predict_reads_fused(p->t);
    if (f->shape[1] != 1)
        msa_fail(p->t->m, MSA_FAILED,
                 "--head none takes f for y, so f must be [B,1], but [B,%zu] arrives", f->shape[1]);
    results_build(p, p->self, f->shape[1]);
}

/* A copy, since gradients with respect to f and to y may come from different stages. */
static void forward(struct part *p)
{
    struct var *f = trainable_input(p->t, "f");
    results_make(p, p->self, f, op_concat(&p->t->tape, 1, &f));
}

const struct model predict_none = {
    .is = {.name = "none",
           .summary = "what fusion has made is sentiment, and there is nothing to train but what "
                      "--classes and --each add",
           .reads = "f [B,1]",
           .adds = "y [B]"},
    .size = sizeof(struct results),
    .build = build,
    .forward = forward};
