/* Softmax over each row, a warp to a row. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *x, size_t rows, size_t dim)
{
    each_row(rows, [=](size_t r) {
        const float *row = x + r * dim;
        float most = -INFINITY, sum = 0;
        each_in_warp(dim, [&](size_t i) { most = row[i] > most ? row[i] : most; });
        most = over_warp(most, [](float a, float b) { return a > b ? a : b; });
        each_in_warp(dim, [&](size_t i) { sum += expf(row[i] - most); });
        sum = warp_sum(sum);
        each_in_warp(dim, [=](size_t i) { y[r * dim + i] = expf(row[i] - most) / sum; });
    });
}

static __global__ void backward(float *dx, const float *dy, const float *y, size_t rows, size_t dim,
                                bool add)
{
    each_row(rows, [=](size_t r) {
        size_t first = r * dim;
        float mean = 0;
        each_in_warp(dim, [&](size_t i) { mean += dy[first + i] * y[first + i]; });
        mean = warp_sum(mean);
        each_in_warp(dim, [=](size_t i) {
            put(dx + first + i, y[first + i] * (dy[first + i] - mean), add);
        });
    });
}

void cuda_softmax_forward(struct device *d, float *y, const float *x, size_t rows, size_t dim)
{
    launch(d, forward, cuda_blocks(d, rows, WARPS), THREADS, y, x, rows, dim);
}

void cuda_softmax_backward(struct device *d, float *dx, const float *dy, const float *y,
                           size_t rows, size_t dim, bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, rows, WARPS), THREADS, dx, dy, y, rows, dim, add);
}
