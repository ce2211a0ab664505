/* Scale, shift and limits, constants of the host. */
#include "kernels/cpu/cpu.h"

void cpu_affine_forward(struct device *d, float *y, const float *x, size_t n, float scale,
                        float shift, float low, float high)
{
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        float v = scale * x[i] + shift;
        y[i] = v < low ? low : v > high ? high : v;
    }
}

void cpu_affine_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                         float scale, float shift, float low, float high, bool add)
{
    if (!dx)
        return;
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        float v = scale * x[i] + shift;
        put(dx + i, v < low || v > high ? 0 : scale * dy[i], add);
    }
}
