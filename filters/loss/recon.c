/* recon: what is made of a modality's features, r_MODALITY, is to be what they were made of,
 * p_MODALITY. */
#include "common/dataset/tensor_names.h"
#include "filters/loss/batch.h"
#include "filters/loss/loss.h"

enum recon_target { TARGET_TRAINED, TARGET_FIXED };

struct settings {
    int target; /* enum recon_target */
};

struct recon {
    int count;
    char made[MODALITIES][TENSOR_NAME + 1], target[MODALITIES][TENSOR_NAME + 1];
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "recon-target", "trained|fixed", OPTION_CHOICE, FIELD(target), "trained", 0, 0,
     .help = "p_MODALITY learns too, to be what can be reconstructed; or r_MODALITY alone"},
    {0},
};
#undef FIELD

static bool begin(struct loss *l, void *self)
{
    struct recon *r = self;
    for (int i = 0; i < MODALITIES; i++) {
        name_vector(r->made[r->count], 'r', i);
        name_vector(r->target[r->count], 'p', i);
        const struct schema_entry *made = loss_arrives(l, r->made[r->count], 2);
        const struct schema_entry *target = loss_arrives(l, r->target[r->count], 2);
        if (!made)
            continue;
        if (!target)
            msa_fail(l->m, MSA_FAILED, "task recon: '%s' arrives without '%s'", made->name,
                     r->target[r->count]);
        if (made->shape[1] != target->shape[1])
            msa_fail(l->m, MSA_CORRUPT, "header: '%s' is of width %zu but '%s' of %zu", made->name,
                     made->shape[1], target->name, target->shape[1]);
        r->count++;
    }
    if (!r->count)
        msa_fail(l->m, MSA_FAILED,
                 "task recon: no r_MODALITY arrives (does msa-decompose --how shared stand "
                 "before?)");
    return true;
}

static struct var *compute(struct loss *l, void *self)
{
    const struct recon *r = self;
    const struct settings *s = loss_settings(l);
    struct tape *t = &l->tape;
    struct var *sum = NULL;
    for (int i = 0; i < r->count; i++) {
        struct var *made = loss_operand(l, r->made[i]), *target = loss_operand(l, r->target[i]);
        if (s->target == TARGET_FIXED)
            target = tape_detached(t, target);
        struct var *one = batch_mean_square(t, batch_minus(t, made, target));
        sum = sum ? op_add(t, sum, one, BROADCAST_NONE) : one;
    }
    return op_affine(t, sum, 1 / (float)r->count, 0);
}

const struct task loss_recon = {
    .is = {.name = "recon",
           .summary = "reconstruction of what features were made of, of weight 1",
           .reads = "r_MODALITY and p_MODALITY [B,N]",
           .adds = "r_MODALITY@recon and p_MODALITY@recon [B,N]",
           .options = options,
           .settings_size = sizeof(struct settings)},
    .weight = "1",
    .size = sizeof(struct recon),
    .begin = begin,
    .compute = compute};
