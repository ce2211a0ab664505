/* The references of the losses' kernels, as kernels_reference.h has them of the layers'. */
#ifndef KERNELS_LOSSES_H
#define KERNELS_LOSSES_H

#include "tests/unit/kernels_reference.h"

/* --- regression: y; kind: a loss, and WEIGHTED where each sample has a weight */
enum { WEIGHTED = 4 };

static enum regression regression_of(const struct problem *p)
{
    return (enum regression)(p->kind % WEIGHTED);
}

static void regression_shape(struct problem *p)
{
    p->counts[0] = p->n[0];
    p->out = 1;
}

static void regression_reference(const struct problem *p, double *out, double *const in[])
{
    double sum = 0, phi = (double)p->real;
    for (size_t i = 0; i < p->n[0]; i++) {
        double e = fabs(in[0][i] - (double)p->target[i]);
        double losses[] = {[REGRESSION_SMOOTHL1] = e < phi ? e * e / (2 * phi) : e - phi / 2,
                           [REGRESSION_MSE] = e * e,
                           [REGRESSION_L1] = e};
        sum += losses[regression_of(p)] * (p->kind & WEIGHTED ? (double)p->weight[i] : 1);
    }
    *out = sum / (double)p->n[0];
}

static void regression_forward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop)
{
    (void)drop;
    d->k.regression_forward(d, m->out, m->in[0], m->target, p->kind & WEIGHTED ? m->weight : NULL,
                            p->n[0], regression_of(p), p->real);
}

static void regression_backward(struct device *d, const struct problem *p, const struct memory *m,
                                const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.regression_backward(d, m->din[0], m->dout, m->in[0], m->target,
                             p->kind & WEIGHTED ? m->weight : NULL, p->n[0], regression_of(p),
                             p->real, add & 1);
}

/* --- cross_entropy: logits */
static void cross_entropy_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1];
    p->out = 1;
}

static void cross_entropy_reference(const struct problem *p, double *out, double *const in[])
{
    *out = 0;
    for (size_t r = 0; r < p->n[0]; r++) {
        double sum = 0;
        for (size_t i = 0; i < p->n[1]; i++)
            sum += exp(in[0][r * p->n[1] + i]);
        *out -= log(exp(in[0][r * p->n[1] + (size_t)p->classes[r]]) / sum) / (double)p->n[0];
    }
}

static void cross_entropy_forward(struct device *d, const struct problem *p, const struct memory *m,
                                  const struct dropout *drop)
{
    (void)drop;
    d->k.cross_entropy_forward(d, m->out, m->in[0], m->classes, p->n[0], p->n[1]);
}

static void cross_entropy_backward(struct device *d, const struct problem *p,
                                   const struct memory *m, const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.cross_entropy_backward(d, m->din[0], m->dout, m->in[0], m->classes, p->n[0], p->n[1],
                                add & 1);
}

/* --- cosine: a b */
static void cosine_shape(struct problem *p)
{
    p->counts[0] = p->counts[1] = p->n[0] * p->n[1];
    p->out = p->n[0] * p->n[2];
}

static void cosine_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t r = 0; r < p->n[0]; r++) {
        double ab = 0, aa = 0, bb = 0;
        for (size_t i = r * p->n[1]; i < (r + 1) * p->n[1]; i++) {
            ab += in[0][i] * in[1][i];
            aa += in[0][i] * in[0][i];
            bb += in[1][i] * in[1][i];
        }
        for (size_t c = 0; c < p->n[2]; c++)
            out[r * p->n[2] + c] = c == p->n[3] ? ab / sqrt(aa) / sqrt(bb) : 0;
    }
}

static void cosine_forward(struct device *d, const struct problem *p, const struct memory *m,
                           const struct dropout *drop)
{
    (void)drop;
    d->k.cosine_forward(d, m->out, m->in[0], m->in[1], p->n[0], p->n[1], p->n[2], p->n[3]);
}

static void cosine_backward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.cosine_backward(d, m->din[0], m->din[1], m->dout, m->in[0], m->in[1], p->n[0], p->n[1],
                         p->n[2], p->n[3], add & 1, add & 2);
}

/* --- contrast: c */
static void contrast_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * (p->n[1] + p->n[2]);
    p->out = 1;
}

static void contrast_reference(const struct problem *p, double *out, double *const in[])
{
    size_t positives = p->n[1], all = positives + p->n[2];
    double tau = (double)p->real, total = 0;
    for (size_t r = 0; r < p->n[0]; r++) {
        const double *c = in[0] + r * all;
        double good = 0, bad = 0;
        for (size_t i = 0; i < all; i++)
            *(i < positives ? &good : &bad) += exp(c[i] / tau);
        if (p->kind == CONTRAST_MNTX)
            total += log(good + bad) - log(good);
        for (size_t i = 0; p->kind == CONTRAST_NTXENT && i < positives; i++)
            total += log(good + bad) - c[i] / tau;
        for (size_t i = 0; p->kind == CONTRAST_NTXENT_PML && i < positives; i++)
            total += (log(exp(c[i] / tau) + bad) - c[i] / tau) / (double)positives;
    }
    *out = total / (double)p->n[0];
}

static void contrast_forward(struct device *d, const struct problem *p, const struct memory *m,
                             const struct dropout *drop)
{
    (void)drop;
    d->k.contrast_forward(d, m->out, m->in[0], p->n[0], p->n[1], p->n[2], (enum contrast)p->kind,
                          p->real);
}

static void contrast_backward(struct device *d, const struct problem *p, const struct memory *m,
                              const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.contrast_backward(d, m->din[0], m->dout, m->in[0], p->n[0], p->n[1], p->n[2],
                           (enum contrast)p->kind, p->real, add & 1);
}

#endif
