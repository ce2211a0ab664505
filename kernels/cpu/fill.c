/* Filling. */
#include "kernels/cpu/cpu.h"

void cpu_fill(struct device *d, float *x, float value, size_t n)
{
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}
