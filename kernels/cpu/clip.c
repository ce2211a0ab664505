/* Clipping. */
#include "kernels/cpu/cpu.h"

void cpu_clip(struct device *d, float *x, float limit, size_t n)
{
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++) /* a NaN is neither */
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}
