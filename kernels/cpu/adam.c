/* Adam and its variants. */
#include "kernels/cpu/cpu.h"

static void adam_one(const struct update *u, int threads)
{
    float *p = u->p, *m = u->moments[MOMENT_FIRST], *v = u->moments[MOMENT_SECOND],
          *most = u->moments[MOMENT_MOST];
    const float *g = u->g;
    float l2 = u->l2, new1 = u->new1, old2 = u->old2, new2 = u->new2, step = u->step,
          root = u->root, eps = u->eps, before = u->before, after = u->after;
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < u->n; i++) {
        float slope = g[i] + l2 * p[i];
        m[i] += new1 * (slope - m[i]);
        v[i] = v[i] * old2 + new2 * slope * slope;
        float size = v[i];
        if (most)
            most[i] = size = most[i] >= size ? most[i] : size;
        p[i] = (p[i] * before - step * m[i] / (sqrtf(size) / root + eps)) * after;
    }
}

void cpu_adam(struct device *d, const struct update *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        adam_one(&all[i], workers(d, all[i].n / 2));
}
