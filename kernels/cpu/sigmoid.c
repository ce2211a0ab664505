/* The logistic function with dropout. */
#include "kernels/sigmoid.h"
#include "kernels/cpu/cpu.h"

void cpu_sigmoid_forward(struct device *d, float *y, const float *x, size_t n,
                         const struct dropout *drop)
{
    EACH_ELEMENT(d, n, drop, i, factor, y[i] = factor * sigmoid(x[i]));
}

void cpu_sigmoid_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                          const struct dropout *drop, bool add)
{
    if (dx)
        EACH_ELEMENT(d, n, drop, i, factor, put(dx + i, dy[i] * factor * sigmoid_slope(x[i]), add));
}
