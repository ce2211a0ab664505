/* The logistic function with dropout. */
#include "kernels/cpu/cpu.h"

static inline float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static inline float slope(float x)
{
    float s = sigmoid(x);
    return s * (1 - s);
}

void cpu_sigmoid_forward(struct device *d, float *y, const float *x, size_t n,
                         const struct dropout *drop)
{
    EACH_ELEMENT(d, n, drop, i, factor, y[i] = factor * sigmoid(x[i]));
}

void cpu_sigmoid_backward(struct device *d, float *dx, const float *dy, const float *x, size_t n,
                          const struct dropout *drop, bool add)
{
    if (dx)
        EACH_ELEMENT(d, n, drop, i, factor, put(dx + i, dy[i] * factor * slope(x[i]), add));
}
