/* Which frames are padding. */
#include "kernels/cuda/cuda.h"

/* In double and in order, so that every device finds the same frames. */
static __device__ bool sums_to_zero(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum == 0;
}

static __global__ void mark(uint8_t *pad, const float *x, size_t batch, size_t frames,
                            size_t features)
{
    size_t length = 1 + frames;
    each_in_grid(batch * length, [=](size_t r) {
        size_t b = r / length, s = r % length;
        pad[r] = s > 1 && sums_to_zero(x + (b * frames + s - 1) * features, features);
    });
}

void cuda_padding_mask(struct device *d, uint8_t *pad, const float *x, size_t batch, size_t frames,
                       size_t features)
{
    launch(d, mark, cuda_blocks(d, batch * (1 + frames), THREADS), THREADS, pad, x, batch, frames,
           features);
}
