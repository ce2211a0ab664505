/* tanh with dropout. */
#include "kernels/cpu/cpu.h"

static inline float slope(float x)
{
    float t = tanhf(x);
    return 1 - t * t;
}

void cpu_tanh_forward(struct device *d, float *y, const float *x, size_t n,
                      const struct dropout *drop)
{
    EACH_ELEMENT(d, n, drop, i, factor, y[i] = factor * tanhf(x[i]));
}

void cpu_tanh_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                       const struct dropout *drop, bool add)
{
    if (dx)
        EACH_ELEMENT(d, n, drop, i, factor, put(dx + i, dy[i] * factor * slope(x[i]), add));
}
