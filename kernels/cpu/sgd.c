/* Gradient descent. */
#include "kernels/cpu/cpu.h"

static void sgd_one(const struct update *u, int threads)
{
    float *p = u->p, *buffer = u->moments[MOMENT_BUFFER];
    const float *g = u->g;
    float l2 = u->l2, momentum = u->momentum, step = u->step;
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < u->n; i++) {
        float slope = g[i] + l2 * p[i];
        if (buffer)
            buffer[i] = slope = momentum * buffer[i] + slope;
        p[i] -= step * slope;
    }
}

void cpu_sgd(struct device *d, const struct update *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sgd_one(&all[i], workers(d, all[i].n / 4));
}
