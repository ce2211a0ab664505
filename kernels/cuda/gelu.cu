/* The exact GELU with dropout: x Phi(x), Phi being the normal distribution's cumulative function.
 */
#include "kernels/cuda/cuda.h"

static __device__ float phi(float x)
{
    return 0.5f * (1 + erff(x * 0.70710678f)); /* sqrt(1/2) */
}

static __device__ float density(float x)
{
    return 0.39894228f * expf(-0.5f * x * x); /* 1/sqrt(2 pi) */
}

static __global__ void forward(float *y, const float *x, size_t n, struct mask mask)
{
    each_kept_in_grid(mask, n, [=](size_t i, float factor) { y[i] = factor * x[i] * phi(x[i]); });
}

static __global__ void backward(float *dx, const float *dy, const float *x, size_t n,
                                struct mask mask, bool add)
{
    each_kept_in_grid(mask, n, [=](size_t i, float factor) {
        float v = x[i];
        put(dx + i, dy[i] * factor * (phi(v) + v * density(v)), add);
    });
}

void cuda_gelu_forward(struct device *d, float *y, const float *x, size_t n,
                       const struct dropout *drop)
{
    launch(d, forward, cuda_blocks(d, n, WARPS * SPAN), THREADS, y, x, n, mask_of(drop));
}

void cuda_gelu_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                        const struct dropout *drop, bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, n, WARPS * SPAN), THREADS, dx, dy, x, n, mask_of(drop),
               add);
}
