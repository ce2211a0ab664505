/* --- tensor_fusion: a v t w bias; n: batch, out, a, v, t */
#ifndef KERNELS_FUSION_H
#define KERNELS_FUSION_H

#include "tests/unit/kernels_reference.h"

static void tensor_fusion_shape(struct problem *p)
{
    const size_t *n = p->n;
    size_t columns = (n[2] + 1) * (n[3] + 1) * (n[4] + 1);
    for (int i = 0; i < 3; i++)
        p->counts[i] = n[0] * n[2 + i];
    p->counts[3] = n[1] * columns;
    p->counts[4] = n[1];
    p->out = n[0] * n[1];
    p->masked = n[0] * columns;
}

static double fused_number(const double *x, size_t width, size_t b, size_t i)
{
    return i ? x[b * width + i - 1] : 1;
}

/* By x as a whole. */
static void tensor_fusion_reference(const struct problem *p, double *out, double *const in[])
{
    size_t a = p->n[2], v = p->n[3], t = p->n[4], columns = (a + 1) * (v + 1) * (t + 1);
    for (size_t at = 0; at < p->out; at++)
        out[at] = in[4][at % p->n[1]];
    for (size_t b = 0; b < p->n[0]; b++)
        for (size_t c = 0; c < columns; c++) {
            double x = p->factors[b * columns + c] *
                       fused_number(in[0], a, b, c / ((v + 1) * (t + 1))) *
                       fused_number(in[1], v, b, c / (t + 1) % (v + 1)) *
                       fused_number(in[2], t, b, c % (t + 1));
            for (size_t o = 0; x != 0 && o < p->n[1]; o++)
                out[b * p->n[1] + o] += x * in[3][o * columns + c];
        }
}

static struct tensor_fusion tensor_fusion_of(const struct problem *p)
{
    return (struct tensor_fusion){p->n[0], p->n[1], p->n[2], p->n[3], p->n[4]};
}

static void tensor_fusion_forward(struct device *d, const struct problem *p, const struct memory *m,
                                  const struct dropout *drop)
{
    struct tensor_fusion shape = tensor_fusion_of(p);
    d->k.tensor_fusion_forward(d, m->out, m->in[0], m->in[1], m->in[2], m->in[3], m->in[4], &shape,
                               drop);
}

static void tensor_fusion_backward(struct device *d, const struct problem *p,
                                   const struct memory *m, const struct dropout *drop, unsigned add)
{
    struct tensor_fusion shape = tensor_fusion_of(p);
    d->k.tensor_fusion_backward(d, m->din[0], m->din[1], m->din[2], m->din[3], m->din[4], m->dout,
                                m->in[0], m->in[1], m->in[2], m->in[3], &shape, drop, add & 1,
                                add >> 1 & 1, add >> 2 & 1);
}

#endif
