/* The regression losses. */
#include "kernels/cpu/cpu.h"
#include "kernels/losses.h"

void cpu_regression_forward(struct device *d, float *loss, const float *y, const float *target,
                            const float *weight, size_t n, enum regression kind, float phi)
{
    (void)d;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weighted(regression_loss((double)y[i] - target[i], kind, phi), weight, i);
    *loss = (float)(sum / (double)n);
}

void cpu_regression_backward(struct device *d, float *dy, const float *dloss, const float *y,
                             const float *target, const float *weight, size_t n,
                             enum regression kind, float phi, bool add)
{
    (void)d;
    double share = *dloss / (double)n;
    for (size_t i = 0; dy && i < n; i++) {
        double slope = regression_slope((double)y[i] - target[i], kind, phi);
        put(dy + i, (float)(share * weighted(slope, weight, i)), add);
    }
}
