/* The mean over the positions of each sample. */
#include "kernels/cpu/cpu.h"

void cpu_mean_forward(struct device *d, float *y, const float *x, size_t batch, size_t length,
                      size_t dim)
{
    int threads = workers(d, batch * length * dim / 4);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (size_t b = 0; b < batch; b++)
        for (size_t at = 0; at < dim; at += STRIP) {
            float sums[STRIP];
            size_t width = least(STRIP, dim - at);
            sum_columns(sums, x + b * length * dim + at, length, dim, width);
            for (size_t j = 0; j < width; j++)
                y[b * dim + at + j] = sums[j] / (float)length;
        }
}

void cpu_mean_backward(struct device *d, float *dx, const float *dy, size_t batch, size_t length,
                       size_t dim, bool add)
{
    if (!dx)
        return;
    float share = 1 / (float)length;
    int threads = workers(d, batch * length * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < batch * length; r++)
#pragma omp simd
        for (size_t i = 0; i < dim; i++)
            put(dx + r * dim + i, dy[r / length * dim + i] * share, add);
}
