/* Gradient descent. */
#include "kernels/cuda/updates.h"

struct sgd {
    __device__ void operator()(const struct update &u, size_t i) const
    {
        float *buffer = u.moments[MOMENT_BUFFER];
        float slope = u.g[i] + u.l2 * u.p[i];
        if (buffer)
            buffer[i] = slope = u.momentum * buffer[i] + slope;
        u.p[i] -= u.step * slope;
    }
};

void cuda_sgd(struct device *d, const struct update *all, size_t count)
{
    each_update(d, all, count, sgd{});
}
