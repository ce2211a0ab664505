/* Which samples a training takes, and in which order, drawn from the seed: of any epoch without
 * those before it. */
#ifndef MSA_SAMPLER_H
#define MSA_SAMPLER_H

#include "common/run/run.h"

struct order {
    struct msa *m;
    uint64_t seed;
    bool shuffled;
    size_t count;      /* samples taken */
    uint32_t *taken;   /* [count], in the order of the data set */
    uint32_t *places;  /* [count], room for a permutation */
    uint32_t *samples; /* [count], of the epoch at hand */
};

/* Takes the share `fraction` of `samples` samples, rounded up, one at
 * least. Its memory is the run's. */
struct order order_new(struct msa *m, size_t samples, double fraction, uint64_t seed,
                       bool shuffled);
/* The samples of an epoch, [count], until the next call. */
const uint32_t *order_of(struct order *o, long epoch);

#endif
