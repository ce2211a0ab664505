/* Attention: of a sequence to itself, queries, keys and values side by side in one matrix
 * (attention), and of one to another (cross). */
#ifndef KERNELS_ATTENTION_H
#define KERNELS_ATTENTION_H

#include "tests/unit/kernels_reference.h"

/* --- the reference: q, k and v on the host, and so what the shape points to */

static size_t first_row(const struct sequences *s, size_t b)
{
    return s->spans ? (size_t)s->spans[2 * b] : b * s->length;
}

static size_t row_count(const struct sequences *s, size_t b)
{
    return s->spans ? (size_t)(s->spans[2 * b + 1] - s->spans[2 * b]) : s->length;
}

static bool sees(const struct attention *a, size_t b, size_t query, size_t key)
{
    const struct sequences *q = &a->queries, *k = &a->keys;
    return !(q->pad && q->pad[first_row(q, b) + query]) &&
           !(k->pad && k->pad[first_row(k, b) + key]) && !(a->masked && key > query + a->offset);
}

/* One query's y[size] of one head */
static void attend_one(const struct attention *a, double *y, const double *q, const double *k,
                       const double *v, const double *factors, size_t b, size_t query)
{
    double sum = 0;
    for (size_t i = 0; i < a->size; i++)
        y[i] = 0;
    for (size_t key = 0; key < row_count(&a->keys, b); key++) {
        double score = 0;
        if (!sees(a, b, query, key))
            continue;
        for (size_t i = 0; i < a->size; i++)
            score += q[i] * k[key * a->k_stride + i];
        double e = exp(score / sqrt((double)a->size));
        sum += e;
        for (size_t i = 0; i < a->size; i++)
            y[i] += e * factors[key] * v[key * a->v_stride + i];
    }
    for (size_t i = 0; sum > 0 && i < a->size; i++)
        y[i] /= sum;
}

static void attend_all(const struct attention *a, const struct problem *p, double *out,
                       const double *q, const double *k, const double *v)
{
    size_t length = a->queries.length;
    for (size_t i = 0; i < p->out; i++)
        out[i] = 0;
    for (size_t t = 0; t < a->queries.batch * a->heads * length; t++) {
        size_t b = t / length / a->heads, column = t / length % a->heads * a->size,
               query = t % length, row = first_row(&a->queries, b) + query,
               key = first_row(&a->keys, b);
        if (query < row_count(&a->queries, b))
            attend_one(a, out + row * a->heads * a->size + column, q + row * a->q_stride + column,
                       k + key * a->k_stride + column, v + key * a->v_stride + column,
                       p->factors + t * a->keys.length, b, query);
    }
}

/* --- to itself: qkv; n: batch, length, dim, heads; kind 1: with spans, else with padding */

static void attention_shape(struct problem *p)
{
    size_t rows = 0;
    for (size_t b = 0; b < p->n[0]; b++)
        rows += p->kind ? span_length(p, b, p->n[1]) : p->n[1];
    p->counts[0] = 3 * rows * p->n[2];
    p->out = rows * p->n[2];
    p->saved[0] = p->n[0] * p->n[1] * p->n[3];
    p->masked = p->saved[0] * p->n[1];
}

static struct attention itself(const struct problem *p, const uint8_t *pad, const int32_t *spans)
{
    size_t dim = p->n[2], heads = p->n[3];
    struct sequences keys = {p->n[0], p->n[1], p->kind ? NULL : pad, p->kind ? spans : NULL},
                     queries = keys;
    queries.pad = NULL;
    return (struct attention){heads,   dim / heads, queries, keys,
                              3 * dim, 3 * dim,     3 * dim, .masked = false};
}

static void attention_reference(const struct problem *p, double *out, double *const in[])
{
    struct attention shape = itself(p, p->pad, p->spans);
    attend_all(&shape, p, out, in[0], in[0] + p->n[2], in[0] + 2 * p->n[2]);
}

static void attention_forward(struct device *d, const struct problem *p, const struct memory *m,
                              const struct dropout *drop)
{
    struct attention shape = itself(p, m->pad, m->spans);
    const float *q = m->in[0];
    d->k.attention_forward(d, m->out, m->saved[0], q, q + p->n[2], q + 2 * p->n[2], &shape, drop);
}

static void attention_backward(struct device *d, const struct problem *p, const struct memory *m,
                               const struct dropout *drop, unsigned add)
{
    struct attention shape = itself(p, m->pad, m->spans);
    const float *q = m->in[0];
    float *dq = m->din[0];
    size_t dim = p->n[2];
    d->k.attention_backward(d, dq, dq ? dq + dim : NULL, dq ? dq + 2 * dim : NULL, m->dout, m->out,
                            m->saved[0], q, q + dim, q + 2 * dim, &shape, drop, add & 1, add & 1,
                            add & 1);
}

/* --- of one to another: q, k, v; n: batch, keys, queries, heads, size of a head; kind: some of
 * these bits. The padding and spans of queries are behind those of keys. */
enum {
    CROSS_KEY_SPANS = 1, /* else keys have padding */
    CROSS_MASKED = 2,
    CROSS_PADDED = 4,  /* queries have padding */
    CROSS_EMPTY = 8,   /* the first sample has no key, or only padding, and the second no query */
    CROSS_CAUSAL = 16, /* the mask's offset is 0: the last keys may be seen by none */
    CROSS_QUERY_SPANS = 32,
    CROSS_SPANS = CROSS_KEY_SPANS | CROSS_QUERY_SPANS
};

static size_t cross_width(const struct problem *p)
{
    return p->n[3] * p->n[4];
}

static bool is_empty(const struct problem *p, size_t b, bool keys)
{
    return p->kind & CROSS_EMPTY && b == (keys ? 0 : 1);
}

/* How many rows of keys, or of queries, sample b has. */
static size_t cross_length(const struct problem *p, size_t b, bool keys)
{
    size_t most = p->n[keys ? 1 : 2];
    if (!(p->kind & (keys ? CROSS_KEY_SPANS : CROSS_QUERY_SPANS)))
        return most;
    return is_empty(p, b, keys) ? 0 : span_length(p, b, most);
}

static void cross_shape(struct problem *p)
{
    size_t queries = 0, keys = 0;
    for (size_t b = 0; b < p->n[0]; b++) {
        queries += cross_length(p, b, false);
        keys += cross_length(p, b, true);
    }
    p->counts[0] = queries * cross_width(p);
    p->counts[1] = p->counts[2] = keys * cross_width(p);
    p->out = queries * p->n[3] * p->n[4];
    p->saved[0] = p->n[0] * p->n[2] * p->n[3];
    p->masked = p->saved[0] * p->n[1];
    p->rows = p->n[0] * (p->n[1] + p->n[2] + 2);
}

static void place_spans(const struct problem *p, int32_t *spans, bool keys)
{
    int32_t at = 0;
    for (size_t b = 0; b < p->n[0]; b++) {
        spans[2 * b] = at;
        spans[2 * b + 1] = at += (int32_t)cross_length(p, b, keys);
    }
}

static void cross_place(struct problem *p)
{
    size_t keys = p->n[0] * p->n[1];
    for (size_t i = 0; i < keys; i++)
        p->pad[i] |= is_empty(p, i / p->n[1], true);
    for (size_t i = 0; i < p->n[0] * p->n[2]; i++)
        p->pad[keys + i] =
            is_empty(p, i / p->n[2], false) || i % 5 == 2 || i % p->n[2] > p->n[2] - i / p->n[2];
    place_spans(p, p->spans, true);
    place_spans(p, p->spans + 2 * p->n[0], false);
}

static struct attention another(const struct problem *p, const uint8_t *pad, const int32_t *spans)
{
    size_t keys = p->n[1], queries = p->n[2], width = cross_width(p),
           offset = keys > queries ? keys - queries : queries - keys;
    struct attention a = {.heads = p->n[3],
                          .size = p->n[4],
                          .queries = {.batch = p->n[0], .length = queries},
                          .keys = {.batch = p->n[0], .length = keys},
                          .q_stride = width,
                          .k_stride = width,
                          .v_stride = width,
                          .masked = p->kind & CROSS_MASKED,
                          .offset = p->kind & CROSS_CAUSAL ? 0 : offset};
    if (p->kind & CROSS_KEY_SPANS)
        a.keys.spans = spans;
    else
        a.keys.pad = pad;
    if (p->kind & CROSS_QUERY_SPANS)
        a.queries.spans = spans + 2 * p->n[0];
    if (p->kind & CROSS_PADDED)
        a.queries.pad = pad + p->n[0] * keys;
    return a;
}

static void cross_reference(const struct problem *p, double *out, double *const in[])
{
    struct attention shape = another(p, p->pad, p->spans);
    attend_all(&shape, p, out, in[0], in[1], in[2]);
}

static void cross_forward(struct device *d, const struct problem *p, const struct memory *m,
                          const struct dropout *drop)
{
    struct attention shape = another(p, m->pad, m->spans);
    d->k.attention_forward(d, m->out, m->saved[0], m->in[0], m->in[1], m->in[2], &shape, drop);
}

static void cross_backward(struct device *d, const struct problem *p, const struct memory *m,
                           const struct dropout *drop, unsigned add)
{
    struct attention shape = another(p, m->pad, m->spans);
    d->k.attention_backward(d, m->din[0], m->din[1], m->din[2], m->dout, m->out, m->saved[0],
                            m->in[0], m->in[1], m->in[2], &shape, drop, add & 1, add >> 1 & 1,
                            add >> 2 & 1);
}

#endif
