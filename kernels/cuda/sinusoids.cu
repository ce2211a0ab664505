/* Positions by sinusoids. */
#include "kernels/cuda/cuda.h"

static __global__ void positions(float *p, const float *x, size_t batch, size_t frames, size_t dim)
{
    each_in_grid(frames * dim, [=](size_t at) {
        size_t t = at / dim, i = at % dim, half = dim / 2;
        float value = i < 2 * half ? sinusoid(t + 1, i, half) : 0;
        for (size_t b = 0; b < batch; b++) {
            size_t frame = (b * frames + t) * dim;
            p[frame + i] = x[frame] != 0 ? value : 0;
        }
    });
}

void cuda_sinusoids(struct device *d, float *p, const float *x, size_t batch, size_t frames,
                    size_t dim)
{
    launch(d, positions, cuda_blocks(d, frames * dim, THREADS), THREADS, p, x, batch, frames, dim);
}
