/* The exact GELU with dropout: x Phi(x), Phi being the normal
 * distribution's cumulative function. */
#include "kernels/cpu/cpu.h"

static const float root_half = 0.70710678f, /* sqrt(1/2) */
    density_0 = 0.39894228f; /* the normal distribution's density at 0, 1/sqrt(2 pi) */

void cpu_gelu_forward(struct device *d, float *y, const float *x, size_t n,
                      const struct dropout *drop)
{
    struct mask mask = mask_of(drop);
    int threads = workers(d, n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < n; at += CHUNK) {
        float factors[CHUNK];
        size_t count = least(CHUNK, n - at);
        mask_factors(factors, &mask, at, count);
#pragma omp simd
        for (size_t i = 0; i < count; i++) {
            float v = x[at + i];
            y[at + i] = factors[i] * 0.5f * v * (1 + erff(v * root_half));
        }
    }
}

void cpu_gelu_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                       const struct dropout *drop, bool add)
{
    if (!dx)
        return;
    struct mask mask = mask_of(drop);
    int threads = workers(d, n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < n; at += CHUNK) {
        float factors[CHUNK];
        size_t count = least(CHUNK, n - at);
        mask_factors(factors, &mask, at, count);
#pragma omp simd
        for (size_t i = 0; i < count; i++) {
            float v = x[at + i];
            float slope = 0.5f * (1 + erff(v * root_half)) + v * density_0 * expf(-0.5f * v * v);
            put(dx + at + i, dy[at + i] * factors[i] * slope, add);
        }
    }
}
