/* The regression losses, a block for the whole batch. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *loss, const float *y, const float *target,
                               const float *weight, size_t n, enum regression kind, float phi)
{
    double sum = 0;
    for (size_t i = threadIdx.x; i < n; i += THREADS)
        sum += weighted(regression_loss((double)y[i] - target[i], kind, phi), weight, i);
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *loss = (float)(sum / (double)n);
}

void cuda_regression_forward(struct device *d, float *loss, const float *y, const float *target,
                             const float *weight, size_t n, enum regression kind, float phi)
{
    launch(d, forward, 1, THREADS, loss, y, target, weight, n, kind, phi);
}

static __global__ void backward(float *dy, const float *dloss, const float *y, const float *target,
                                const float *weight, size_t n, enum regression kind, float phi,
                                bool add)
{
    double share = *dloss / (double)n;
    each_in_grid(n, [=](size_t i) {
        double slope = regression_slope((double)y[i] - target[i], kind, phi);
        put(dy + i, (float)(share * weighted(slope, weight, i)), add);
    });
}

void cuda_regression_backward(struct device *d, float *dy, const float *dloss, const float *y,
                              const float *target, const float *weight, size_t n,
                              enum regression kind, float phi, bool add)
{
    if (dy)
        launch(d, backward, cuda_blocks(d, n, THREADS), THREADS, dy, dloss, y, target, weight, n,
               kind, phi, add);
}
