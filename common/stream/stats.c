/* Statistics of tensors. */
#include "common/stream/stats.h"
#include <math.h>

struct stats stats_of(const struct tensor *t)
{
    struct stats s = {.min = INFINITY, .max = -INFINITY};
    double squares = 0; /* of the distances from the mean, as far as it has come (Welford) */
    for (size_t i = 0; i < t->count; i++) {
        double x = tensor_value(t, i);
        if (!isfinite(x)) {
            s.non_finite++;
            continue;
        }
        double distance = x - s.mean;
        s.mean += distance / (double)(i + 1 - s.non_finite);
        squares += distance * (x - s.mean);
        s.min = fmin(s.min, x);
        s.max = fmax(s.max, x);
        s.zeros += x == 0;
    }
    size_t finite = t->count - s.non_finite;
    s.deviation = sqrt(squares / (double)finite);
    if (finite == 0)
        s.min = s.mean = s.max = s.deviation = NAN;
    return s;
}

bool dtype_whole(enum dtype dtype)
{
    return dtype != F4 && dtype != F8 && dtype != F2;
}
