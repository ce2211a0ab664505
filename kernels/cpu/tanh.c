/* tanh with dropout. */
#include "kernels/cpu/cpu.h"

void cpu_tanh_forward(struct device *d, float *y, const float *x, size_t n,
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
        for (size_t i = 0; i < count; i++)
            y[at + i] = factors[i] * tanhf(x[at + i]);
    }
}

void cpu_tanh_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
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
            float t = tanhf(x[at + i]);
            put(dx + at + i, dy[at + i] * factors[i] * (1 - t * t), add);
        }
    }
}
