/* Some columns of a wider matrix. */
#include "kernels/cpu/cpu.h"

void cpu_columns_forward(struct device *d, float *y, const float *x, size_t rows, size_t total,
                         size_t at, size_t width, bool add)
{
    int threads = workers(d, rows * width / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++)
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            put(y + r * total + at + i, x[r * width + i], add);
}

void cpu_columns_backward(struct device *d, float *dx, const float *dy, size_t rows, size_t total,
                          size_t at, size_t width, bool add)
{
    if (!dx)
        return;
    int threads = workers(d, rows * width / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++)
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            put(dx + r * width + i, dy[r * total + at + i], add);
}
