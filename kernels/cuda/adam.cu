/* Adam and its variants. */
#include "kernels/cuda/updates.h"

struct adam {
    __device__ void operator()(const struct update &u, size_t i) const
    {
        float *m = u.moments[MOMENT_FIRST], *v = u.moments[MOMENT_SECOND],
              *most = u.moments[MOMENT_MOST];
        float slope = u.g[i] + u.l2 * u.p[i];
        m[i] += u.new1 * (slope - m[i]);
        v[i] = v[i] * u.old2 + u.new2 * slope * slope;
        float size = v[i];
        if (most)
            most[i] = size = most[i] >= size ? most[i] : size;
        u.p[i] = (u.p[i] * u.before - u.step * m[i] / (sqrtf(size) / u.root + u.eps)) * u.after;
    }
};

void cuda_adam(struct device *d, const struct update *all, size_t count)
{
    each_update(d, all, count, adam{});
}
