/* Positions by sinusoids. */
#include "kernels/cpu/cpu.h"
#include "kernels/sinusoid.h"

void cpu_sinusoids(struct device *d, float *p, const float *x, size_t batch, size_t frames,
                   size_t dim)
{
    size_t half = dim / 2;
    int threads = workers(d, frames * dim * 32);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t t = 0; t < frames; t++)
        for (size_t i = 0; i < dim; i++) {
            float value = i < 2 * half ? sinusoid(t + 1, i, half) : 0;
            for (size_t b = 0; b < batch; b++) {
                size_t frame = (b * frames + t) * dim;
                p[frame + i] = x[frame] != 0 ? value : 0;
            }
        }
}
