/* The Euclidean norm of each row, a warp to a row. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *x, size_t rows, size_t dim, float at_zero)
{
    each_row(rows, [=](size_t r) {
        double sum = 0;
        each_in_warp(dim, [&](size_t i) { sum += (double)x[r * dim + i] * x[r * dim + i]; });
        sum = warp_sum(sum);
        if (lane() == 0)
            y[r] = sum == 0 ? at_zero : (float)sqrt(sum);
    });
}

static __global__ void backward(float *dx, const float *dy, const float *x, const float *y,
                                size_t rows, size_t dim, bool add)
{
    each_row(rows, [=](size_t r) {
        float share = y[r] == 0 ? 0 : dy[r] / y[r];
        each_in_warp(dim, [=](size_t i) { put(dx + r * dim + i, share * x[r * dim + i], add); });
    });
}

void cuda_euclidean_forward(struct device *d, float *y, const float *x, size_t rows, size_t dim,
                            float at_zero)
{
    launch(d, forward, cuda_blocks(d, rows, WARPS), THREADS, y, x, rows, dim, at_zero);
}

void cuda_euclidean_backward(struct device *d, float *dx, const float *dy, const float *x,
                             const float *y, size_t rows, size_t dim, bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, rows, WARPS), THREADS, dx, dy, x, y, rows, dim, add);
}
