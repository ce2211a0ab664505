/* What the kernels compute, stated again in double and as plainly as can be; kernels.c compares.
 *
 * A problem is one kernel pair at one size. Its reference gives the outputs from the inputs; its
 * gradients are taken from that by differences, so no formula of a backward pass is needed. */
#ifndef KERNELS_REFERENCE_H
#define KERNELS_REFERENCE_H

#include "kernels/kernels.h"
#include "kernels/philox.h"
#include <math.h>

enum { INPUTS = 5, SAVED = 3 };

struct pair;

struct problem {
    const struct pair *pair;
    size_t n[5];   /* sizes, in the order of the kernel's */
    int kind;      /* of loss; norm: 1 without z; mean: 1 with spans; else: the pair's header */
    float real;    /* phi, tau, eps */
    float rate;    /* of dropout */
    double spread; /* its numbers are from about -spread to spread; 0: 2 */
    /* Filled in by the pair's shape function and the harness: */
    size_t counts[INPUTS], out; /* elements of inputs and output */
    size_t saved[SAVED];        /* elements of what the forward pass keeps */
    size_t masked;              /* elements that dropout counts */
    double *factors;            /* [masked] of dropout */
    size_t rows;                /* that what follows has; 0: as many as n[0] and n[1] ask for */
    uint8_t *pad;               /* [batch,length] of attention */
    int32_t *classes;           /* [rows] of the cross-entropy */
    int32_t *words, *types;     /* [rows] of the embedding; its places are the classes */
    int32_t *spans;             /* [batch,2] of mean and attention */
    float *target, *weight;     /* [n] of the regression losses */
};

/* A problem's arrays on a device; a gradient may be NULL. */
struct memory {
    float *in[INPUTS], *din[INPUTS], *out, *dout, *saved[SAVED];
    uint8_t *pad;
    int32_t *classes, *words, *types, *spans;
    float *target, *weight;
};

struct pair {
    const char *name;
    int inputs;
    unsigned parameters; /* bit i: the gradient by input i is always added to */
    bool partial;        /* writes a part of its output only */
    void (*shape)(struct problem *p);
    void (*reference)(const struct problem *p, double *out, double *const in[]);
    void (*forward)(struct device *d, const struct problem *p, const struct memory *m,
                    const struct dropout *drop);
    /* bit i of add: the gradient by input i is added */
    void (*backward)(struct device *d, const struct problem *p, const struct memory *m,
                     const struct dropout *drop, unsigned add);
    void (*place)(struct problem *p); /* fills in what is its own; may be NULL */
};

/* The same numbers for the same place, from -1 to 1, that a float holds exactly. */
static inline double draw(uint32_t stream, size_t i)
{
    uint32_t out[4];
    philox4x32(out, (uint32_t[4]){(uint32_t)i, 0, stream, 0}, (uint32_t[2]){20240521, 7});
    return (double)(int32_t)(out[0] >> 15) / 65536 - 1;
}

/* kernels.h: which elements are dropped, one at a time. */
static inline double dropout_factor(const struct dropout *drop, size_t i)
{
    uint32_t out[4], threshold = (uint32_t)lround(drop->rate * 65536.0);
    philox4x32(out,
               (uint32_t[4]){(uint32_t)(i / 8), (uint32_t)((uint64_t)(i / 8) >> 32), drop->step,
                             drop->site},
               (uint32_t[2]){(uint32_t)drop->seed, (uint32_t)(drop->seed >> 32)});
    uint32_t lane = out[i % 8 / 2] >> (i % 2 ? 16 : 0) & 0xffff;
    return lane < threshold ? 0 : 65536.0 / (65536 - threshold);
}

/* --- linear: x w b */
static void linear_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1], p->counts[1] = p->n[2] * p->n[1], p->counts[2] = p->n[2];
    p->out = p->n[0] * p->n[2];
}

static void linear_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t r = 0; r < p->n[0]; r++)
        for (size_t o = 0; o < p->n[2]; o++) {
            double sum = in[2][o];
            for (size_t i = 0; i < p->n[1]; i++)
                sum += in[0][r * p->n[1] + i] * in[1][o * p->n[1] + i];
            out[r * p->n[2] + o] = sum;
        }
}

static void linear_forward(struct device *d, const struct problem *p, const struct memory *m,
                           const struct dropout *drop)
{
    (void)drop;
    d->k.linear_forward(d, m->out, m->in[0], m->in[1], m->in[2], p->n[0], p->n[1], p->n[2]);
}

static void linear_backward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.linear_backward(d, m->din[0], m->din[1], m->din[2], m->dout, m->in[0], m->in[1], p->n[0],
                         p->n[1], p->n[2], add & 1);
}

/* --- gelu, tanh, dropout: x */
static void elementwise_shape(struct problem *p)
{
    p->counts[0] = p->out = p->masked = p->n[0];
}

static void gelu_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++)
        out[i] = p->factors[i] * in[0][i] / 2 * (1 + erf(in[0][i] / sqrt(2)));
}

static void gelu_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    d->k.gelu_forward(d, m->out, m->in[0], p->n[0], drop);
}

static void gelu_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    d->k.gelu_backward(d, m->din[0], m->dout, m->in[0], p->n[0], drop, add & 1);
}

static void tanh_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++)
        out[i] = p->factors[i] * tanh(in[0][i]);
}

static void tanh_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    d->k.tanh_forward(d, m->out, m->in[0], p->n[0], drop);
}

static void tanh_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    d->k.tanh_backward(d, m->din[0], m->dout, m->in[0], p->n[0], drop, add & 1);
}

static void dropout_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->n[0]; i++)
        out[i] = p->factors[i] * in[0][i];
}

static void dropout_forward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop)
{
    d->k.dropout_forward(d, m->out, m->in[0], p->n[0], drop);
}

static void dropout_backward(struct device *d, const struct problem *p, const struct memory *m,
                             const struct dropout *drop, unsigned add)
{
    d->k.dropout_backward(d, m->din[0], m->dout, p->n[0], drop, add & 1);
}

/* --- norm: x gain bias z */
static void norm_shape(struct problem *p)
{
    p->counts[0] = p->out = p->masked = p->saved[0] = p->n[0] * p->n[1];
    p->counts[1] = p->counts[2] = p->n[1];
    p->counts[3] = p->kind ? 0 : p->out;
    p->saved[1] = p->saved[2] = p->n[0];
}

static void norm_reference(const struct problem *p, double *out, double *const in[])
{
    size_t dim = p->n[1];
    for (size_t r = 0; r < p->n[0]; r++) {
        double *row = out + r * dim, mean = 0, variance = 0;
        for (size_t i = 0; i < dim; i++) {
            row[i] =
                in[0][r * dim + i] + (p->kind ? 0 : p->factors[r * dim + i] * in[3][r * dim + i]);
            mean += row[i] / (double)dim;
        }
        for (size_t i = 0; i < dim; i++)
            variance += (row[i] - mean) * (row[i] - mean) / (double)dim;
        for (size_t i = 0; i < dim; i++)
            row[i] = (row[i] - mean) / sqrt(variance + (double)p->real) * in[1][i] + in[2][i];
    }
}

static void norm_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    d->k.norm_forward(d, m->out, p->kind ? NULL : m->saved[0], m->saved[1], m->saved[2], m->in[0],
                      p->kind ? NULL : m->in[3], m->in[1], m->in[2], p->n[0], p->n[1], p->real,
                      drop);
}

static void norm_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    d->k.norm_backward(d, m->din[0], p->kind ? NULL : m->din[3], m->din[1], m->din[2], m->dout,
                       p->kind ? m->in[0] : m->saved[0], m->saved[1], m->saved[2], m->in[1],
                       p->n[0], p->n[1], drop, add & 1, add & 8);
}

/* --- positions: e cls positions */
static void positions_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1] * p->n[2], p->counts[1] = p->n[2],
    p->counts[2] = (1 + p->n[1]) * p->n[2];
    p->out = p->masked = p->n[0] * (1 + p->n[1]) * p->n[2];
}

static void positions_reference(const struct problem *p, double *out, double *const in[])
{
    size_t frames = p->n[1], dim = p->n[2];
    for (size_t i = 0; i < p->out; i++) {
        size_t j = i % dim, s = i / dim % (1 + frames), b = i / dim / (1 + frames);
        double x = s ? in[0][(b * frames + s - 1) * dim + j] : in[1][j];
        out[i] = p->factors[i] * (x + in[2][s * dim + j]);
    }
}

static void positions_forward(struct device *d, const struct problem *p, const struct memory *m,
                              const struct dropout *drop)
{
    d->k.positions_forward(d, m->out, m->in[0], m->in[1], m->in[2], p->n[0], p->n[1], p->n[2],
                           drop);
}

static void positions_backward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop, unsigned add)
{
    d->k.positions_backward(d, m->din[0], m->din[1], m->din[2], m->dout, p->n[0], p->n[1], p->n[2],
                            drop, add & 1);
}

/* With spans samples are of different lengths, one behind the other; the last is as long as it may
 * be. */
static size_t span_length(const struct problem *p, size_t b, size_t most)
{
    return b + 1 == p->n[0] ? most : 1 + b % most;
}

/* The rows of sample b. */
static void rows_of_sample(const struct problem *p, size_t b, size_t *first, size_t *end)
{
    *first = p->kind ? (size_t)p->spans[2 * b] : b * p->n[1];
    *end = p->kind ? (size_t)p->spans[2 * b + 1] : *first + p->n[1];
}

/* --- mean, columns: x; mean of kind 1 takes spans */
static void mean_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1] * p->n[2];
    p->out = p->n[0] * p->n[2];
}

static void mean_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->out; i++) {
        size_t first, end;
        rows_of_sample(p, i / p->n[2], &first, &end);
        out[i] = 0;
        for (size_t s = first; s < end; s++)
            out[i] += in[0][s * p->n[2] + i % p->n[2]] / (double)(end - first);
    }
}

static void mean_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    (void)drop;
    d->k.mean_forward(d, m->out, m->in[0], p->kind ? m->spans : NULL, p->n[0], p->n[0] * p->n[1],
                      p->n[2]);
}

static void mean_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.mean_backward(d, m->din[0], m->dout, p->kind ? m->spans : NULL, p->n[0], p->n[0] * p->n[1],
                       p->n[2], add & 1);
}

/* --- embedding: words positions types; n: rows, places, dim, words; two types */
enum { EMBEDDING_TYPES = 2 };

static void embedding_shape(struct problem *p)
{
    p->counts[0] = p->n[3] * p->n[2], p->counts[1] = p->n[1] * p->n[2];
    p->counts[2] = EMBEDDING_TYPES * p->n[2];
    p->out = p->n[0] * p->n[2];
}

static void embedding_reference(const struct problem *p, double *out, double *const in[])
{
    size_t dim = p->n[2];
    for (size_t i = 0; i < p->out; i++) {
        size_t row = i / dim, j = i % dim;
        out[i] = in[0][(size_t)p->words[row] * dim + j] + in[1][(size_t)p->classes[row] * dim + j] +
                 in[2][(size_t)p->types[row] * dim + j];
    }
}

static void embedding_forward(struct device *d, const struct problem *p, const struct memory *m,
                              const struct dropout *drop)
{
    (void)drop;
    d->k.embedding_forward(d, m->out, m->in[0], m->in[1], m->in[2], m->words, m->classes, m->types,
                           p->n[0], p->n[2]);
}

static void embedding_backward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop, unsigned add)
{
    (void)drop, (void)add;
    d->k.embedding_backward(d, m->din[0], m->din[1], m->din[2], m->dout, m->words, m->classes,
                            m->types, p->n[0], p->n[2]);
}

static void columns_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[3];
    p->out = p->n[0] * p->n[1];
}

static void columns_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t i = 0; i < p->out; i++) {
        size_t column = i % p->n[1] - p->n[2];
        out[i] = column < p->n[3] ? in[0][i / p->n[1] * p->n[3] + column] : 0;
    }
}

static void columns_forward(struct device *d, const struct problem *p, const struct memory *m,
                            const struct dropout *drop)
{
    (void)drop;
    d->k.columns_forward(d, m->out, m->in[0], p->n[0], p->n[1], p->n[2], p->n[3], false);
}

static void columns_backward(struct device *d, const struct problem *p, const struct memory *m,
                             const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.columns_backward(d, m->din[0], m->dout, p->n[0], p->n[1], p->n[2], p->n[3], add & 1);
}
#endif
