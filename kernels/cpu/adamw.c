/* The optimizer. Scalars are doubles folded into float constants where PyTorch folds them. */
#include "kernels/cpu/cpu.h"

void cpu_adamw(struct device *d, float *p, float *m, float *v, const float *g, size_t n, double lr,
               double beta1, double beta2, double eps, double decay, long t)
{
    float keep = (float)(1 - lr * decay), new1 = (float)(1 - beta1), old2 = (float)beta2,
          new2 = (float)(1 - beta2);
    float step = (float)(lr / (1 - pow(beta1, (double)t))),
          root = (float)sqrt(1 - pow(beta2, (double)t));
    float small = (float)eps;
    int threads = workers(d, n / 2);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        m[i] += new1 * (g[i] - m[i]);
        v[i] = v[i] * old2 + new2 * g[i] * g[i];
        p[i] = p[i] * keep - step * m[i] / (sqrtf(v[i]) / root + small);
    }
}
