/* What is not a number becomes 0. */
#include "kernels/cpu/cpu.h"

void cpu_number_forward(struct device *d, float *y, const float *x, size_t n)
{
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++)
        y[i] = isnan(x[i]) ? 0 : x[i];
}

void cpu_number_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                         bool add)
{
    if (!dx)
        return;
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++)
        put(dx + i, isnan(x[i]) ? 0 : dy[i], add);
}
