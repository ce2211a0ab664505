/* Scale, shift and limits, constants of the host. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *x, size_t n, float scale, float shift,
                               float low, float high)
{
    each_in_grid(n, [=](size_t i) {
        float v = scale * x[i] + shift;
        y[i] = v < low ? low : v > high ? high : v;
    });
}

static __global__ void backward(float *dx, const float *dy, const float *x, size_t n, float scale,
                                float shift, float low, float high, bool add)
{
    each_in_grid(n, [=](size_t i) {
        float v = scale * x[i] + shift;
        put(dx + i, v < low || v > high ? 0 : scale * dy[i], add);
    });
}

void cuda_affine_forward(struct device *d, float *y, const float *x, size_t n, float scale,
                         float shift, float low, float high)
{
    launch(d, forward, cuda_blocks(d, n, THREADS), THREADS, y, x, n, scale, shift, low, high);
}

void cuda_affine_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                          float scale, float shift, float low, float high, bool add)
{
    if (dx)
        launch(d, backward, cuda_blocks(d, n, THREADS), THREADS, dx, dy, x, n, scale, shift, low,
               high, add);
}
