/* What goes along sequences step by step (lstm) or window by window (conv), and what goes along a
 * batch (batch_norm). */
#ifndef KERNELS_SEQUENCES_H
#define KERNELS_SEQUENCES_H

#include "tests/unit/kernels_reference.h"

/* --- lstm: x w b h0 c0; the output is h and, behind it, c; n: batch, length, hidden; kind: some of
 * these bits. Its lengths are the words. */
enum { LSTM_LENGTHS = 1, LSTM_REVERSED = 2, LSTM_CONTINUED = 4 /* from h0 and c0 */ };

static void lstm_shape(struct problem *p)
{
    size_t rows = p->n[0] * p->n[1], hidden = p->n[2];
    p->counts[0] = p->saved[0] = p->saved[1] = rows * 4 * hidden;
    p->counts[1] = 4 * hidden * hidden, p->counts[2] = 4 * hidden;
    p->counts[3] = p->counts[4] = p->kind & LSTM_CONTINUED ? p->n[0] * hidden : 0;
    p->out = 2 * rows * hidden;
}

/* All from the sequence's length down to none, in turn. */
static void lstm_place_lengths(struct problem *p)
{
    for (size_t b = 0; b < p->n[0]; b++)
        p->words[b] =
            p->kind & LSTM_LENGTHS ? (int32_t)(p->n[1] - b % (p->n[1] + 1)) : (int32_t)p->n[1];
}

static size_t lstm_at(const struct problem *p, size_t t)
{
    return p->kind & LSTM_REVERSED ? p->n[1] - 1 - t : t;
}

/* Number j of sample b's state before step t: of `all` its steps, or what it begins with. */
static double lstm_before(const struct problem *p, const double *all, const double *start, size_t b,
                          size_t t, size_t j)
{
    if (t > 0)
        return all[(b * p->n[1] + lstm_at(p, t - 1)) * p->n[2] + j];
    return p->kind & LSTM_CONTINUED ? start[b * p->n[2] + j] : 0;
}

static double lstm_gate(const struct problem *p, const double *h, double *const in[], size_t b,
                        size_t t, size_t at)
{
    double sum = in[0][(b * p->n[1] + lstm_at(p, t)) * 4 * p->n[2] + at] + in[2][at];
    for (size_t k = 0; k < p->n[2]; k++)
        sum += in[1][at * p->n[2] + k] * lstm_before(p, h, in[3], b, t, k);
    return at / p->n[2] == 2 ? tanh(sum) : 1 / (1 + exp(-sum));
}

static void lstm_number(const struct problem *p, double *h, double *c, double *const in[], size_t b,
                        size_t t, size_t j)
{
    size_t hidden = p->n[2], place = lstm_at(p, t), to = (b * p->n[1] + place) * hidden + j;
    double gates[4];
    h[to] = lstm_before(p, h, in[3], b, t, j);
    c[to] = lstm_before(p, c, in[4], b, t, j);
    if (place >= (size_t)p->words[b])
        return;
    for (size_t gate = 0; gate < 4; gate++)
        gates[gate] = lstm_gate(p, h, in, b, t, gate * hidden + j);
    c[to] = gates[1] * c[to] + gates[0] * gates[2];
    h[to] = gates[3] * tanh(c[to]);
}

static void lstm_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t b = 0; b < p->n[0]; b++)
        for (size_t t = 0; t < p->n[1]; t++)
            for (size_t j = 0; j < p->n[2]; j++)
                lstm_number(p, out, out + p->out / 2, in, b, t, j);
}

static struct lstm lstm_of(const struct problem *p, const struct memory *m)
{
    return (struct lstm){p->n[0], p->n[1], p->n[2], p->kind & LSTM_LENGTHS ? m->words : NULL,
                         p->kind & LSTM_REVERSED};
}

static const float *start_of(const struct problem *p, const float *state)
{
    return p->kind & LSTM_CONTINUED ? state : NULL;
}

static void lstm_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    struct lstm shape = lstm_of(p, m);
    (void)drop;
    d->k.lstm_forward(d, m->out, m->out + p->out / 2, m->saved[0], m->in[0], m->in[1], m->in[2],
                      start_of(p, m->in[3]), start_of(p, m->in[4]), &shape);
}

static void lstm_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    struct lstm shape = lstm_of(p, m);
    size_t half = p->out / 2;
    bool continued = p->kind & LSTM_CONTINUED;
    (void)drop;
    d->k.lstm_backward(d, m->din[0], m->din[1], m->din[2], continued ? m->din[3] : NULL,
                       continued ? m->din[4] : NULL, m->saved[1], m->dout, m->dout + half,
                       m->saved[0], m->out, m->out + half, m->in[1], start_of(p, m->in[3]),
                       start_of(p, m->in[4]), &shape, add & 1, add >> 3 & 1, add >> 4 & 1);
}

/* --- conv: x w; n: as in struct conv */

static void conv_shape(struct problem *p)
{
    p->counts[0] = p->n[0] * p->n[1] * p->n[2];
    p->counts[1] = p->n[3] * p->n[2] * p->n[4];
    p->out = p->n[0] * (p->n[1] - p->n[4] + 1) * p->n[3];
}

static void conv_reference(const struct problem *p, double *out, double *const in[])
{
    size_t length = p->n[1], features = p->n[2], dim = p->n[3], width = p->n[4];
    size_t windows = length - width + 1;
    for (size_t at = 0; at < p->out; at++) {
        size_t o = at % dim, frame = at / dim / windows * length + at / dim % windows;
        out[at] = 0;
        for (size_t f = 0; f < features; f++)
            for (size_t i = 0; i < width; i++)
                out[at] +=
                    in[1][(o * features + f) * width + i] * in[0][(frame + i) * features + f];
    }
}

static struct conv conv_of(const struct problem *p)
{
    return (struct conv){p->n[0], p->n[1], p->n[2], p->n[3], p->n[4]};
}

static void conv_forward(struct device *d, const struct problem *p, const struct memory *m,
                         const struct dropout *drop)
{
    struct conv shape = conv_of(p);
    (void)drop;
    d->k.conv_forward(d, m->out, m->in[0], m->in[1], &shape);
}

static void conv_backward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop, unsigned add)
{
    struct conv shape = conv_of(p);
    (void)drop;
    d->k.conv_backward(d, m->din[0], m->din[1], m->dout, m->in[0], m->in[1], &shape, add & 1);
}

/* --- batch_norm: x gain bias; n: rows, dim; kind 1: by running statistics, the targets: mean and,
 * behind it, variance */

static void batch_norm_shape(struct problem *p)
{
    p->counts[0] = p->out = p->n[0] * p->n[1];
    p->counts[1] = p->counts[2] = p->saved[0] = p->saved[1] = p->n[1];
    p->rows = 2 * p->n[1] + p->n[0];
}

static void batch_norm_place(struct problem *p)
{
    for (size_t j = p->n[1]; j < 2 * p->n[1]; j++)
        p->target[j] = .5f + fabsf(p->target[j]);
}

static void column_statistics(const struct problem *p, const double *x, size_t j, double *mean,
                              double *variance)
{
    *mean = p->kind ? (double)p->target[j] : 0;
    *variance = p->kind ? (double)p->target[p->n[1] + j] : 0;
    for (size_t r = 0; !p->kind && r < p->n[0]; r++)
        *mean += x[r * p->n[1] + j] / (double)p->n[0];
    for (size_t r = 0; !p->kind && r < p->n[0]; r++)
        *variance += pow(x[r * p->n[1] + j] - *mean, 2) / (double)p->n[0];
}

static void batch_norm_reference(const struct problem *p, double *out, double *const in[])
{
    for (size_t j = 0; j < p->n[1]; j++) {
        double mean, variance;
        column_statistics(p, in[0], j, &mean, &variance);
        for (size_t at = j; at < p->out; at += p->n[1])
            out[at] = (in[0][at] - mean) / sqrt(variance + (double)p->real) * in[1][j] + in[2][j];
    }
}

static void batch_norm_forward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop)
{
    (void)drop;
    d->k.batch_norm_forward(d, m->out, m->saved[0], m->saved[1], m->target, m->target + p->n[1],
                            m->in[0], m->in[1], m->in[2], p->n[0], p->n[1], p->real, .1f, !p->kind);
}

static void batch_norm_backward(struct device *d, const struct problem *p, const struct memory *m,
                                const struct dropout *drop, unsigned add)
{
    (void)drop;
    d->k.batch_norm_backward(d, m->din[0], m->din[1], m->din[2], m->dout, m->in[0], m->saved[0],
                             m->saved[1], m->in[1], p->n[0], p->n[1], !p->kind, add & 1);
}

#endif
