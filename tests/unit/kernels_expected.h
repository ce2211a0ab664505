/* What a problem's kernels are expected to give: its numbers, its outputs, and its gradients by
 * central differences of the reference. */
#ifndef KERNELS_EXPECTED_H
#define KERNELS_EXPECTED_H

#include "tests/unit/kernels_reference.h"
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 40 };
static const double step = 1e-4; /* of the differences */

/* What is expected of a problem. */
struct expected {
    double *in[INPUTS], *out, *dout;
    size_t samples[INPUTS], at[INPUTS][SAMPLE]; /* elements whose gradients are known */
    double slope[INPUTS][SAMPLE];
    double along[INPUTS]; /* slope along direction(), for each input by itself */
};

static struct dropout dropout_of(const struct problem *p)
{
    return (struct dropout){p->rate, 0x123456789abcdef, 77, 5};
}

static void make_spans(struct problem *p)
{
    int32_t at = 0;
    for (size_t b = 0; p->n[1] && b < p->n[0]; b++) {
        p->spans[2 * b] = at;
        p->spans[2 * b + 1] = at += (int32_t)span_length(p, b, p->n[1]);
    }
}

static void make_problem(struct problem *p)
{
    p->pair->shape(p);
    struct dropout drop = dropout_of(p);
    p->factors = calloc(p->masked + 1, sizeof *p->factors);
    for (size_t i = 0; i < p->masked; i++)
        p->factors[i] = p->rate > 0 ? dropout_factor(&drop, i) : 1;
    size_t rows = p->rows = p->rows ? p->rows : p->n[0] * p->n[1] + p->n[0];
    p->pad = calloc(rows, sizeof *p->pad);
    p->classes = calloc(rows, sizeof *p->classes);
    p->words = calloc(rows, sizeof *p->words);
    p->types = calloc(rows, sizeof *p->types);
    p->spans = calloc(2 * rows, sizeof *p->spans);
    p->target = calloc(rows, sizeof *p->target);
    p->weight = calloc(rows, sizeof *p->weight);
    for (size_t i = 0; i < rows; i++) {
        /* padding at the end of the second sample and, by itself, within the first */
        p->pad[i] = p->n[1] && (i == 4 || i % p->n[1] > p->n[1] - i / p->n[1] * p->n[1] / 5);
        p->classes[i] = p->n[1] ? (int32_t)(i * 7 % p->n[1]) : 0;
        p->words[i] = p->n[3] ? (int32_t)(i * i % p->n[3]) : 0;
        p->types[i] = (int32_t)(i / 3 % 2);
        p->target[i] = (float)draw(900, i);
        p->weight[i] = (float)draw(901, i) + 1;
    }
    make_spans(p);
    if (p->pair->place)
        p->pair->place(p);
}

static void free_problem(struct problem *p)
{
    free(p->factors);
    free(p->pad);
    free(p->classes);
    free(p->words);
    free(p->types);
    free(p->spans);
    free(p->target);
    free(p->weight);
}

static double *drawn(uint32_t stream, size_t n, double scale, double shift)
{
    double *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw(stream, i) * scale + shift;
    return x;
}

static inline double loss_of(const struct problem *p, const struct expected *e, double *out)
{
    double sum = 0;
    p->pair->reference(p, out, e->in);
    for (size_t i = 0; i < p->out; i++)
        sum += out[i] * e->dout[i];
    return sum;
}

/* A direction of length 1 in n dimensions. */
static double direction(size_t i, size_t n)
{
    return draw(800, i) * sqrt(3 / (double)n);
}

static inline double slope_at(const struct problem *p, const struct expected *e, double *out,
                              double *x)
{
    double before = *x;
    *x = before + step;
    double up = loss_of(p, e, out);
    *x = before - step;
    double down = loss_of(p, e, out);
    *x = before;
    return (up - down) / (2 * step);
}

static inline double slope_along(const struct problem *p, const struct expected *e, double *out,
                                 double *x, size_t n)
{
    double loss[2], *before = malloc((n + 1) * sizeof *x);
    memcpy(before, x, n * sizeof *x);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            x[i] = before[i] + (side ? -10 : 10) * step * direction(i, n);
        loss[side] = loss_of(p, e, out);
    }
    memcpy(x, before, n * sizeof *x);
    free(before);
    return (loss[0] - loss[1]) / (20 * step);
}

/* The numbers that a problem begins with. */
static void draw_numbers(const struct problem *p, struct expected *e)
{
    double spread = p->spread > 0 ? p->spread : 2;
    e->dout = drawn(700, p->out, 1, 0);
    for (int i = 0; i < p->pair->inputs; i++)
        e->in[i] = drawn((uint32_t)i, p->counts[i], spread, i ? spread / 4 : 0);
}

static inline void expect(const struct problem *p, struct expected *e)
{
    double *scratch = malloc((p->out + 1) * sizeof *scratch);
    e->out = malloc((p->out + 1) * sizeof *e->out);
    draw_numbers(p, e);
    p->pair->reference(p, e->out, e->in);
    for (int i = 0; i < p->pair->inputs; i++) {
        size_t n = p->counts[i];
        e->samples[i] = n < SAMPLE ? n : SAMPLE;
        for (size_t s = 0; s < e->samples[i]; s++) {
            e->at[i][s] = n <= SAMPLE ? s : s * 2654435761u % n;
            e->slope[i][s] = slope_at(p, e, scratch, e->in[i] + e->at[i][s]);
        }
        e->along[i] = slope_along(p, e, scratch, e->in[i], n);
    }
    free(scratch);
}

static void free_expected(struct expected *e)
{
    for (int i = 0; i < INPUTS; i++)
        free(e->in[i]);
    free(e->out);
    free(e->dout);
}

#endif
