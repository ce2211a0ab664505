/* The dropout masks of all kernels (kernels.h describes them), as factors to multiply with; and
 * dropout by itself. */
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/philox.h"

enum { BATCH = 8 * PHILOX_COUNTERS }; /* elements that one call of philox decides */

void mask_factors(float *factors, const struct mask *mask, uint64_t first, size_t n)
{
    int32_t threshold = (int32_t)mask->threshold;
    float scale = mask->scale;
    if (!threshold) {
        for (size_t i = 0; i < n; i++)
            factors[i] = 1;
        return;
    }
    for (size_t done = 0; done < n;) {
        uint16_t lanes[CHUNK + BATCH];
        size_t skip = (first + done) % 8, count = least(n - done, CHUNK);
        for (size_t at = 0; at < skip + count; at += BATCH)
            philox(lanes + at, (first + done + at) / 8, mask->from.step, mask->from.site,
                   mask->from.seed);
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            /* cppcheck-suppress uninitvar ; the loop above is entered: count is not 0 */
            factors[done + i] = lanes[skip + i] < threshold ? 0 : scale;
        done += count;
    }
}

void cpu_dropout_forward(struct device *d, float *y, const float *x, size_t n,
                         const struct dropout *drop)
{
    EACH_ELEMENT(d, n, drop, i, factor, y[i] = factor * x[i]);
}

void cpu_dropout_backward(struct device *d, float *dx, const float *dy, size_t n,
                          const struct dropout *drop, bool add)
{
    if (dx)
        EACH_ELEMENT(d, n, drop, i, factor, put(dx + i, factor * dy[i], add));
}
