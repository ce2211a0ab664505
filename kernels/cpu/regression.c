/* The regression losses. */
#include "kernels/cpu/cpu.h"

static double loss_of(double e, enum regression kind, double phi)
{
    if (kind == REGRESSION_MSE)
        return e * e;
    if (kind == REGRESSION_L1)
        return fabs(e);
    return fabs(e) < phi ? e * e / (2 * phi) : fabs(e) - phi / 2;
}

static double slope_of(double e, enum regression kind, double phi)
{
    double sign = e > 0 ? 1 : e < 0 ? -1 : e; /* 0 of 0, and what is not a number stays that */
    if (kind == REGRESSION_MSE)
        return 2 * e;
    if (kind == REGRESSION_L1)
        return sign;
    return fabs(e) < phi ? e / phi : sign;
}

void cpu_regression_forward(struct device *d, float *loss, const float *y, const float *target,
                            size_t n, enum regression kind, float phi)
{
    (void)d;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += loss_of((double)y[i] - target[i], kind, phi);
    *loss = (float)(sum / (double)n);
}

void cpu_regression_backward(struct device *d, float *dy, const float *dloss, const float *y,
                             const float *target, size_t n, enum regression kind, float phi,
                             bool add)
{
    (void)d;
    double share = *dloss / (double)n;
    for (size_t i = 0; dy && i < n; i++)
        put(dy + i, (float)(share * slope_of((double)y[i] - target[i], kind, phi)), add);
}
