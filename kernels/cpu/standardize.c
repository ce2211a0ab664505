/* Features brought to mean 0 and deviation 1, where frames are not padding. */
#include "kernels/cpu/cpu.h"
#include <string.h>

void cpu_standardize(struct device *d, float *y, const float *x, const uint8_t *pad,
                     const float *mean, const float *scale, size_t batch, size_t frames,
                     size_t features)
{
    int threads = workers(d, batch * frames * features / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < batch * frames; r++) {
        const float *from = x + r * features;
        float *to = y + r * features;
        if (pad[r + r / frames + 1])
            memmove(to, from, features * sizeof *to);
        else
#pragma omp simd
            for (size_t i = 0; i < features; i++)
                to[i] = (from[i] - mean[i]) * scale[i];
    }
}
