/* Dropout by itself. */
#include "kernels/cuda/cuda.h"

static __global__ void apply(float *y, const float *x, size_t n, struct mask mask, bool add)
{
    each_kept_in_grid(mask, n, [=](size_t i, float factor) { put(y + i, factor * x[i], add); });
}

void cuda_dropout_forward(struct device *d, float *y, const float *x, size_t n,
                          const struct dropout *drop)
{
    launch(d, apply, cuda_blocks(d, n, WARPS * SPAN), THREADS, y, x, n, mask_of(drop), false);
}

void cuda_dropout_backward(struct device *d, float *dx, const float *dy, size_t n,
                           const struct dropout *drop, bool add)
{
    if (dx)
        launch(d, apply, cuda_blocks(d, n, WARPS * SPAN), THREADS, dx, dy, n, mask_of(drop), add);
}
