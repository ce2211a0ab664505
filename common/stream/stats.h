/* What a tensor's numbers are like. */
#ifndef MSA_STATS_H
#define MSA_STATS_H

#include "common/stream/tensor.h"

/* In double. NaN and infinities are counted, and left out of all else; without a finite number the
 * rest is NaN. */
struct stats {
    double min, mean, max;
    double deviation; /* the population's */
    size_t zeros, non_finite;
};

struct stats stats_of(const struct tensor *t);
/* Are its numbers whole? */
bool dtype_whole(enum dtype dtype);

#endif
