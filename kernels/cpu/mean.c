/* The mean of each sample's rows. */
#include "kernels/cpu/cpu.h"
#include <string.h>

struct rows {
    size_t first, count;
};

static struct rows rows_of(const int32_t *spans, size_t b, size_t length)
{
    if (!spans)
        return (struct rows){b * length, length};
    return (struct rows){(size_t)spans[2 * b], (size_t)(spans[2 * b + 1] - spans[2 * b])};
}

void cpu_mean_forward(struct device *d, float *y, const float *x, const int32_t *spans,
                      size_t batch, size_t rows, size_t dim)
{
    int threads = workers(d, rows * dim / 4);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (size_t b = 0; b < batch; b++)
        for (size_t at = 0; at < dim; at += STRIP) {
            float sums[STRIP];
            struct rows own = rows_of(spans, b, rows / batch);
            size_t width = least(STRIP, dim - at);
            sum_columns(sums, x + own.first * dim + at, own.count, dim, width);
            for (size_t j = 0; j < width; j++)
                y[b * dim + at + j] = sums[j] / (float)own.count;
        }
}

void cpu_mean_backward(struct device *d, float *dx, const float *dy, const int32_t *spans,
                       size_t batch, size_t rows, size_t dim, bool add)
{
    if (!dx)
        return;
    if (spans && !add)
        memset(dx, 0, rows * dim * sizeof *dx);
    bool adds = add || spans;
    int threads = workers(d, rows * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t b = 0; b < batch; b++) {
        struct rows own = rows_of(spans, b, rows / batch);
        float share = 1 / (float)own.count;
        for (size_t r = own.first; r < own.first + own.count; r++)
#pragma omp simd
            for (size_t i = 0; i < dim; i++)
                put(dx + r * dim + i, dy[b * dim + i] * share, adds);
    }
}
