/* What goes along sequences step by step or window by window: LSTM. */
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

#endif
