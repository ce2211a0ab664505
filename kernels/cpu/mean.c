/* The mean over the positions of each sample that are not padding. */
#include "kernels/cpu/cpu.h"

/* Positions that count; `pad` of one sample may be NULL. */
static size_t counted(const uint8_t *pad, size_t length)
{
    size_t count = length;
    for (size_t s = 0; pad && s < length; s++)
        count -= pad[s] != 0;
    return count;
}

/* sums[width] of the positions of one sample that count. */
static void sum_counted(float *sums, const float *x, const uint8_t *pad, size_t length, size_t dim,
                        size_t width)
{
    if (!pad) {
        sum_columns(sums, x, length, dim, width);
        return;
    }
    for (size_t j = 0; j < width; j++)
        sums[j] = 0;
    for (size_t s = 0; s < length; s++)
        for (size_t j = 0; !pad[s] && j < width; j++)
            sums[j] += x[s * dim + j];
}

void cpu_mean_forward(struct device *d, float *y, const float *x, const uint8_t *pad, size_t batch,
                      size_t length, size_t dim)
{
    int threads = workers(d, batch * length * dim / 4);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (size_t b = 0; b < batch; b++)
        for (size_t at = 0; at < dim; at += STRIP) {
            const uint8_t *own = pad ? pad + b * length : NULL;
            float sums[STRIP], count = (float)counted(own, length);
            size_t width = least(STRIP, dim - at);
            sum_counted(sums, x + b * length * dim + at, own, length, dim, width);
            for (size_t j = 0; j < width; j++)
                y[b * dim + at + j] = sums[j] / count;
        }
}

void cpu_mean_backward(struct device *d, float *dx, const float *dy, const uint8_t *pad,
                       size_t batch, size_t length, size_t dim, bool add)
{
    if (!dx)
        return;
    int threads = workers(d, batch * length * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < batch * length; r++) {
        const uint8_t *own = pad ? pad + r / length * length : NULL;
        float share = pad && pad[r] ? 0 : 1 / (float)counted(own, length);
#pragma omp simd
        for (size_t i = 0; i < dim; i++)
            put(dx + r * dim + i, dy[r / length * dim + i] * share, add);
    }
}
