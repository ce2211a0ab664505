/* Frames that look at others, or at one another: MulT's transformer, with MMSA's names of
 * parameters (msa-model(7), Cross-modal). */
#ifndef MSA_LOOKING_H
#define MSA_LOOKING_H

#include "common/nn/layers/transformer.h"

struct looking {
    const char *name;
    struct transformer layers;
    struct norm_layer norm; /* behind the last */
};
/* NAME.layers.N.self_attn.*, .fc1, .fc2, .layer_norms.0 and .1, and NAME.layer_norm; `name` must
 * live as long as `p`. Of `shape` heads, rates of dropout and how many layers there are count. */
struct looking looking_layers(struct params *p, const char *name, size_t dim,
                              const struct transformer *shape);
/* x [R,D] -> its shape, or as transformer_attend has it. */
struct var *looking_apply(struct tape *t, const struct looking *l, struct var *x,
                          const struct attended *to);

#endif
