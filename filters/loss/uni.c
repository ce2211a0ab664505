/* uni: sentiment from each feature by itself, u [B,features]: similarity features predict the joint
 * label, dissimilarity features their own modality's. */
#include "filters/dmmsa/features.h"
#include "filters/loss/loss.h"
#include <string.h>

/* Where the schema says what the columns of `u` are, these are the features in their order. */
static void check_columns(struct loss *l, const struct schema_entry *u,
                          const struct features *features)
{
    for (int i = 0; u->columns && i < features->count; i++)
        if (strcmp(u->columns[i], features->names[i]) != 0)
            msa_fail(l->m, MSA_CORRUPT, "header: 'u': column %d is '%s' but expected '%s'", i + 1,
                     u->columns[i], features->names[i]);
}

static bool begin(struct loss *l, void *self)
{
    struct features *features = self;
    const struct schema_entry *u = loss_needs(l, "u", 2);
    *features = features_find(l->m, &l->stage->header->schema);
    if (u->shape[1] != (size_t)features->count)
        msa_fail(l->m, MSA_CORRUPT,
                 "header: 'u' has %zu columns but there are %d features s_*, d_*", u->shape[1],
                 features->count);
    check_columns(l, u, features);
    return true;
}

static struct var *compute(struct loss *l, void *self)
{
    const struct features *features = self;
    struct var *u = loss_operand(l, "u");
    size_t batch = u->shape[0], columns = u->shape[1];
    float *target = arena_take(&l->tape.nodes, u->count * sizeof *target);
    for (size_t j = 0; j < columns; j++) {
        const float *label = loss_label(l, feature_label(features->which[j]));
        for (size_t i = 0; i < batch; i++)
            memcpy(&target[i * columns + j], label + i, sizeof *target);
    }
    return op_regression(&l->tape, u, loss_upload(l, target, u->count), NULL,
                         (enum regression)l->settings->regression, (float)l->settings->phi);
}

const struct task loss_uni = {
    .is = {.name = "uni",
           .summary = "regression of sentiment from each feature by itself, of weight .5",
           .reads = "u [B,features], label and label_MODALITY [B]",
           .adds = "u@uni [B,features]",
           .takes = "regression,phi"},
    .weight = ".5",
    .labels = true,
    .size = sizeof(struct features),
    .begin = begin,
    .compute = compute};
