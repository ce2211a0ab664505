/* A constant. */
#include "kernels/cuda/cuda.h"

static __global__ void fill(float *x, float value, size_t n)
{
    each_in_grid(n, [=](size_t i) { x[i] = value; });
}

void cuda_fill(struct device *d, float *x, float value, size_t n)
{
    launch(d, fill, cuda_blocks(d, n, THREADS), THREADS, x, value, n);
}
