/* Positions by sinusoids. Angles are of hundreds of radians: in float their sines would have four
 * digits. */
#include "kernels/cuda/cuda.h"

static __device__ float sinusoid(size_t t, size_t i, size_t half)
{
    double steps = half > 1 ? (double)half - 1 : 1, w = pow(10000.0, -(double)(i % half) / steps);
    return (float)(i < half ? sin((double)t * w) : cos((double)t * w));
}

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
