/* Kernels by element, by row and by matrix, as kernels_reference.h has the others. */
#ifndef KERNELS_ROWS_H
#define KERNELS_ROWS_H

#include "tests/unit/kernels_reference.h"

/* --- relu, sigmoid: x (their shape is elementwise) */

static void relu_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++)
        out[i] = p->factors[i] * fmax(in[0][i], 0);
}

static void relu_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    d->k.relu_forward(d, m->out, m->in[0], p->n[0], drop);
}

static void relu_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    d->k.relu_backward(d, m->din[0], m->dout, m->in[0], p->n[0], drop, add & 1);
}

static void sigmoid_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++)
        out[i] = p->factors[i] / (1 + exp(-in[0][i]));
}

static void sigmoid_forward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop)
{
    d->k.sigmoid_forward(d, m->out, m->in[0], p->n[0], drop);
}

static void sigmoid_backward(struct device *d, const struct problem *p, const struct memory *m,
                             const struct dropout *drop, unsigned add)
{
    d->k.sigmoid_backward(d, m->din[0], m->dout, m->in[0], p->n[0], drop, add & 1);
}

/* --- number: x, all of which are such (their shape is elementwise; others: kernels_single.c) */

static void number_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++)
        out[i] = in[0][i];
}

static void number_forward(struct device *d, const struct problem *p, const struct memory *m,
                           const struct dropout *drop)
{
    (void)drop;
    d->k.number_forward(d, m->out, m->in[0], p->n[0]);
}

static void number_backward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.number_backward(d, m->din[0], m->dout, m->in[0], p->n[0], add & 1);
}

/* --- affine: x; kind: some of these bits; real: the scale */
enum { AFFINE_LOW = 1, AFFINE_HIGH = 2 };
static const float affine_shift = .25f;

static float affine_low(const struct problem *p)
{
    return p->kind & AFFINE_LOW ? -.625f : -INFINITY;
}

static float affine_high(const struct problem *p)
{
    return p->kind & AFFINE_HIGH ? .875f : INFINITY;
}

static void affine_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++) {
        double value = (double)p->real * in[0][i] + (double)affine_shift;
        out[i] = fmin(fmax(value, (double)affine_low(p)), (double)affine_high(p));
    }
}

static void affine_forward(struct device *d, const struct problem *p, const struct memory *m,
                           const struct dropout *drop)
{
    (void)drop;
    d->k.affine_forward(d, m->out, m->in[0], p->n[0], p->real, affine_shift, affine_low(p),
                        affine_high(p));
}

static void affine_backward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.affine_backward(d, m->din[0], m->dout, m->in[0], p->n[0], p->real, affine_shift,
                         affine_low(p), affine_high(p), add & 1);
}

/* --- arithmetic: a b; n: rows, cols; kind: an operation and a broadcast; real: eps */
enum { BROADCASTS = BROADCAST_NUMBER + 1 };
#define ARITHMETIC(operation, broadcast)                                                           \
    (OPERATION_##operation * BROADCASTS + BROADCAST_##broadcast)

static struct arithmetic arithmetic_of_problem(const struct problem *p)
{
    return (struct arithmetic){p->n[0], p->n[1], (enum operation)(p->kind / BROADCASTS),
                               (enum broadcast)(p->kind % BROADCASTS), p->real};
}

static void arithmetic_shape(struct problem *p)
{
    size_t rows = p->n[0], cols = p->n[1], counts[BROADCASTS] = {rows * cols, cols, rows, 1};
    p->counts[0] = p->out = rows * cols;
    p->counts[1] = counts[p->kind % BROADCASTS];
}

static void arithmetic_reference(const struct problem *p, double *out, double *const in[])
{
    struct arithmetic s = arithmetic_of_problem(p);
    for (size_t i = 0; i < p->out; i++) {
        size_t beside[BROADCASTS] = {i, i % s.cols, i / s.cols, 0};
        double a = in[0][i], b = in[1][beside[s.b]];
        double results[] = {a + b, a * b, a / (b + (double)s.eps)};
        out[i] = results[s.kind];
    }
}

static void arithmetic_forward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop)
{
    struct arithmetic shape = arithmetic_of_problem(p);
    (void)drop;
    d->k.arithmetic_forward(d, m->out, m->in[0], m->in[1], &shape);
}

static void arithmetic_backward(struct device *d, const struct problem *p, const struct memory *m,
                                const struct dropout *drop, unsigned add)
{
    struct arithmetic shape = arithmetic_of_problem(p);
    (void)drop;
    d->k.arithmetic_backward(d, m->din[0], m->din[1], m->dout, m->in[0], m->in[1], &shape, add & 1,
                             add & 2);
}

/* --- softmax, euclidean: x; n: rows, dim */

static void softmax_shape(struct problem *p)
{
    p->counts[0] = p->out = p->n[0] * p->n[1];
}

static void softmax_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t r = 0; r < p->n[0]; r++) {
        double sum = 0;
        for (size_t i = r * p->n[1]; i < (r + 1) * p->n[1]; i++)
            sum += out[i] = exp(in[0][i]);
        for (size_t i = r * p->n[1]; i < (r + 1) * p->n[1]; i++)
            out[i] /= sum;
    }
}

static void softmax_forward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop)
{
    (void)drop;
    d->k.softmax_forward(d, m->out, m->in[0], p->n[0], p->n[1]);
}

static void softmax_backward(struct device *d, const struct problem *p, const struct memory *m,
                             const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.softmax_backward(d, m->din[0], m->dout, m->out, p->n[0], p->n[1], add & 1);
}

static void euclidean_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1];
    p->out = p->n[0];
}

static void euclidean_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t r = 0; r < p->n[0]; r++) {
        double sum = 0;
        for (size_t i = r * p->n[1]; i < (r + 1) * p->n[1]; i++)
            sum += in[0][i] * in[0][i];
        out[r] = sqrt(sum);
    }
}

static void euclidean_forward(struct device *d, const struct problem *p, const struct memory *m,
                              const struct dropout *drop)
{
    (void)drop;
    d->k.euclidean_forward(d, m->out, m->in[0], p->n[0], p->n[1], p->real);
}

static void euclidean_backward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.euclidean_backward(d, m->din[0], m->dout, m->in[0], m->out, p->n[0], p->n[1], add & 1);
}

/* --- matmul: a b; n: batch, m, n, k; kind: some of these bits */
enum { TURN_A = 1, TURN_B = 2 };

static struct matmul matmul_of_problem(const struct problem *p)
{
    return (struct matmul){p->n[0], p->n[1], p->n[2], p->n[3], p->kind & TURN_A, p->kind & TURN_B};
}

static void matmul_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1] * p->n[3];
    p->counts[1] = p->n[0] * p->n[3] * p->n[2];
    p->out = p->n[0] * p->n[1] * p->n[2];
}

static void matmul_reference(const struct problem *p, double *out, double *const in[])
{
    struct matmul s = matmul_of_problem(p);
    for (size_t i = 0; i < p->out; i++) {
        size_t at = i / s.m / s.n, row = i / s.n % s.m, column = i % s.n;
        out[i] = 0;
        for (size_t k = 0; k < s.k; k++)
            out[i] += in[0][at * s.m * s.k + (s.turn_a ? k * s.m + row : row * s.k + k)] *
                      in[1][at * s.k * s.n + (s.turn_b ? column * s.k + k : k * s.n + column)];
    }
}

static void matmul_forward(struct device *d, const struct problem *p, const struct memory *m,
                           const struct dropout *drop)
{
    struct matmul shape = matmul_of_problem(p);
    (void)drop;
    d->k.matmul_forward(d, m->out, m->in[0], m->in[1], &shape);
}

static void matmul_backward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop, unsigned add)
{
    struct matmul shape = matmul_of_problem(p);
    (void)drop;
    d->k.matmul_backward(d, m->din[0], m->din[1], m->dout, m->in[0], m->in[1], &shape, add & 1,
                         add & 2);
}

#endif
