/* The regression losses. */
#include "kernels/cpu/cpu.h"
#include "kernels/losses.h"

void cpu_regression_forward(struct device *d, float *loss, const float *y, const float *target,
                            size_t n, enum regression kind, float phi)
{
    (void)d;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += regression_loss((double)y[i] - target[i], kind, phi);
    *loss = (float)(sum / (double)n);
}

void cpu_regression_backward(struct device *d, float *dy, const float *dloss, const float *y,
                             const float *target, size_t n, enum regression kind, float phi,
                             bool add)
{
    (void)d;
    double share = *dloss / (double)n;
    for (size_t i = 0; dy && i < n; i++)
        put(dy + i, (float)(share * regression_slope((double)y[i] - target[i], kind, phi)), add);
}
