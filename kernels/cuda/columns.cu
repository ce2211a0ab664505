/* Some columns of a wider matrix. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *x, size_t rows, size_t total, size_t at,
                               size_t width, bool add)
{
    each_row(rows, [=](size_t r) {
        each_in_warp(width, [=](size_t i) { put(y + r * total + at + i, x[r * width + i], add); });
    });
}

static __global__ void backward(float *dx, const float *dy, size_t rows, size_t total, size_t at,
                                size_t width, bool add)
{
    each_row(rows, [=](size_t r) {
        each_in_warp(width,
                     [=](size_t i) { put(dx + r * width + i, dy[r * total + at + i], add); });
    });
}

void cuda_columns_forward(struct device *d, float *y, const float *x, size_t rows, size_t total,
                          size_t at, size_t width, bool add)
{
    launch(d, forward, cuda_blocks(d, rows, WARPS), THREADS, y, x, rows, total, at, width, add);
}

void cuda_columns_backward(struct device *d, float *dx, const float *dy, size_t rows, size_t total,
                           size_t at, size_t width, bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, rows, WARPS), THREADS, dx, dy, rows, total, at, width,
               add);
}
