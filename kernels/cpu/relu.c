/* The rectifier with dropout: what is below 0 becomes 0. */
#include "kernels/cpu/cpu.h"

void cpu_relu_forward(struct device *d, float *y, const float *x, size_t n,
                      const struct dropout *drop)
{
    EACH_ELEMENT(d, n, drop, i, factor, y[i] = factor * (x[i] < 0 ? 0 : x[i]));
}

void cpu_relu_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                       const struct dropout *drop, bool add)
{
    if (dx)
        EACH_ELEMENT(d, n, drop, i, factor, put(dx + i, x[i] <= 0 ? 0 : dy[i] * factor, add));
}
