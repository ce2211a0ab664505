/* One modality's h_* [B,D] -> sentiment y [B] (msa-model(7), Heads). */
#include "common/dataset/tensor_names.h"
#include "common/nn/layers/mlp.h"
#include "filters/predict/predict.h"

struct unimodal {
    char vector[TENSOR_NAME + 1]; /* that it is made for */
    struct mlp decoder;
    struct results results;
};

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

static void build(struct part *p)
{
    struct trainable *t = p->t;
    struct unimodal *u = p->self;
    int modality = find_vector(t);
    const struct schema_entry *entry =
        schema_floats(t->m, &t->arrived, name_vector(u->vector, 'h', modality), 2);
    size_t dim = entry->shape[1], widths[] = {dim, dim / 2, dim / 4, dim / 8, 1};
    if (dim < HEAD_LEAST)
        msa_fail(t->m, MSA_FAILED, "'%s' of width %zu is too narrow for the head (%d)", u->vector,
                 dim, HEAD_LEAST);
    u->decoder = mlp_layers(
        &t->params, msa_format(t->m, "%s_decoder.MLP", modality_names[modality]), 4, widths);
    trainable_reads(t, u->vector);
    results_build(p, &u->results, dim / 8);
}

static void forward(struct part *p)
{
    struct trainable *t = p->t;
    const struct unimodal *u = p->self;
    struct var *x = mlp_inner(&t->tape, &u->decoder, trainable_input(t, u->vector));
    results_make(p, &u->results, x, mlp_last(&t->tape, &u->decoder, x));
}

const struct model predict_unimodal = {
    .is = {.name = "unimodal",
           .summary = "sentiment from one modality, as its encoder is trained first",
           .reads = "the only h_MODALITY [B,D]",
           .adds = "y [B]"},
    .size = sizeof(struct unimodal),
    .build = build,
    .forward = forward};
