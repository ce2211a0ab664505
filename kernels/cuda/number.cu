/* What is not a number becomes 0. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *x, size_t n)
{
    each_in_grid(n, [=](size_t i) { y[i] = isnan(x[i]) ? 0 : x[i]; });
}

static __global__ void backward(float *dx, const float *dy, const float *x, size_t n, bool add)
{
    each_in_grid(n, [=](size_t i) { put(dx + i, isnan(x[i]) ? 0 : dy[i], add); });
}

void cuda_number_forward(struct device *d, float *y, const float *x, size_t n)
{
    launch(d, forward, cuda_blocks(d, n, THREADS), THREADS, y, x, n);
}

void cuda_number_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                          bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, n, THREADS), THREADS, dx, dy, x, n, add);
}
