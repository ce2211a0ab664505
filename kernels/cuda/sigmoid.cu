/* The logistic function with dropout. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *x, size_t n, struct mask mask)
{
    each_kept_in_grid(mask, n, [=](size_t i, float factor) { y[i] = factor * sigmoid(x[i]); });
}

static __global__ void backward(float *dx, const float *dy, const float *x, size_t n,
                                struct mask mask, bool add)
{
    each_kept_in_grid(mask, n, [=](size_t i, float factor) {
        put(dx + i, dy[i] * factor * sigmoid_slope(x[i]), add);
    });
}

void cuda_sigmoid_forward(struct device *d, float *y, const float *x, size_t n,
                          const struct dropout *drop)
{
    launch(d, forward, cuda_blocks(d, n, WARPS * SPAN), THREADS, y, x, n, mask_of(drop));
}

void cuda_sigmoid_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                           const struct dropout *drop, bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, n, WARPS * SPAN), THREADS, dx, dy, x, n, mask_of(drop),
               add);
}
