/* The exact GELU with dropout: x Phi(x), Phi being the normal
 * distribution's cumulative function. */
#include "kernels/cpu/cpu.h"

static const float root_half = 0.70710678f, /* sqrt(1/2) */
    density_0 = 0.39894228f; /* the normal distribution's density at 0, 1/sqrt(2 pi) */

static inline float phi(float x)
{
    return 0.5f * (1 + erff(x * root_half));
}

static inline float slope(float x)
{
    return phi(x) + x * density_0 * expf(-0.5f * x * x);
}

void cpu_gelu_forward(struct device *d, float *y, const float *x, size_t n,
                      const struct dropout *drop)
{
    EACH_ELEMENT(d, n, drop, i, factor, y[i] = factor * x[i] * phi(x[i]));
}

void cpu_gelu_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                       const struct dropout *drop, bool add)
{
    if (dx)
        EACH_ELEMENT(d, n, drop, i, factor, put(dx + i, dy[i] * factor * slope(x[i]), add));
}
