/* MAG-BERT's gate: what goes with words shifts their vectors (msa-model(7), Text). */
#ifndef MSA_GATE_H
#define MSA_GATE_H

#include "common/nn/layers/linear.h"
#include "common/nn/layers/norm.h"

enum { GATE_SIDES = 2 };

/* What one modality has to say, x [R,F]: by `trust` of [x;e], and `shift` of x. */
struct gate_side {
    struct linear_layer trust, shift; /* [D,F+D], [D,F] */
};

struct gate {
    const char *name; /* the prefix */
    int count;        /* 1 to GATE_SIDES */
    struct gate_side sides[GATE_SIDES];
    struct norm_layer norm;
    float beta; /* how much of a word's length the shift may have */
    float dropout;
};

/* Parameters PREFIX.W_hv, .W_v and so on, for `count` modalities of these letters and widths F, and
 * PREFIX.LayerNorm: N(0,.02^2) the weights, 0 the biases. */
struct gate gate_layers(struct params *p, const char *prefix, size_t dim, int count,
                        const char *letters, const size_t *widths);
/* e [R,D] and x[count] [R,F]: g = sum over x of relu(trust [x;e]) shift(x), n = |g|, 1 where it is
 * 0, a = min(beta |e| / (n + 1e-6), 1) -> [R,D]: drop(LN(e + a g)) */
struct var *gate_apply(struct tape *t, const struct gate *g, struct var *e, struct var *const *x);

#endif
