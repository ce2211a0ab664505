/* Clipping. */
#include "kernels/cuda/cuda.h"

static __global__ void clip(float *x, float limit, size_t n)
{
    /* a NaN is neither */
    each_in_grid(n, [=](size_t i) { x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i]; });
}

void cuda_clip(struct device *d, float *x, float limit, size_t n)
{
    launch(d, clip, cuda_blocks(d, n, THREADS), THREADS, x, limit, n);
}
