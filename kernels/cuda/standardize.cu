/* Features brought to mean 0 and deviation 1, where frames are not padding. */
#include "kernels/cuda/cuda.h"

static __global__ void apply(float *y, const float *x, const uint8_t *pad, const float *mean,
                             const float *scale, size_t batch, size_t frames, size_t features)
{
    each_row(batch * frames, [=](size_t r) {
        bool keep = pad[r + r / frames + 1];
        each_in_warp(features, [=](size_t i) {
            float value = x[r * features + i];
            y[r * features + i] = keep ? value : (value - mean[i]) * scale[i];
        });
    });
}

void cuda_standardize(struct device *d, float *y, const float *x, const uint8_t *pad,
                      const float *mean, const float *scale, size_t batch, size_t frames,
                      size_t features)
{
    launch(d, apply, cuda_blocks(d, batch * frames, WARPS), THREADS, y, x, pad, mean, scale, batch,
           frames, features);
}
