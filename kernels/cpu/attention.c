/* Multi-head self-attention, one head of one sample at a time, in blocks of queries whose scores
 * stay in the cache.
 *
 * The forward pass keeps no probabilities: the backward pass computes them again from the products
 * and lse. Keys after the last one that is not padding are left out altogether; padding before it
 * gets a score of minus infinity. */
#include "kernels/cpu/cpu.h"
#include <omp.h>
#include <string.h>

enum { QUERIES = 128, VECTOR = 16 };

/* What both passes know of the whole, and what one thread works in. */
struct attention {
    size_t length, dim, heads, size; /* size: of a head */
    float scale;                     /* of the scores */
    struct mask mask;
    const float *qkv;
    const uint8_t *pad;   /* NULL: nothing is padding */
    const int32_t *spans; /* NULL: all samples are `length` long */
};

struct room {
    float *scores, *dscores; /* [QUERIES,width]; dscores in the backward pass only */
    float *bias, *factors;   /* [width]: minus infinity for padding, dropout of one row */
};

/* One head of one sample. Its rows are 3 dim apart in qkv and dqkv, dim apart in y and dy. */
struct head {
    size_t b, h;
    size_t first, length; /* the sample's rows, its queries */
    size_t keys;          /* those up to the last that is not padding */
    size_t width;         /* of a row of scores: the keys, rounded up to whole vectors */
    const float *q, *k, *v;
};

static struct attention attention_of(const float *qkv, const uint8_t *pad, const int32_t *spans,
                                     size_t length, size_t dim, size_t heads,
                                     const struct dropout *drop)
{
    size_t size = dim / heads;
    return (struct attention){length,        dim, heads, size, 1 / sqrtf((float)size),
                              mask_of(drop), qkv, pad,   spans};
}

/* A row of scores has whole vectors, and an odd number of cache lines: in rows a power of two apart
 * all columns would share a few lines of the cache. */
static size_t width_of(size_t keys)
{
    return ((keys + VECTOR - 1) / VECTOR | 1) * VECTOR;
}

/* Floats that a thread needs for so many blocks of scores. */
static size_t room_size(size_t length, size_t blocks)
{
    return (blocks * QUERIES + 2) * width_of(length);
}

static struct room room_of(float *scratch, size_t length, size_t blocks)
{
    size_t width = width_of(length);
    float *own = scratch + (size_t)omp_get_thread_num() * room_size(length, blocks);
    float *rest = own + blocks * QUERIES * width;
    return (struct room){own, own + (blocks - 1) * QUERIES * width, rest, rest + width};
}

static struct head head_of(const struct attention *a, size_t task, float *bias)
{
    struct head head = {.b = task / a->heads, .h = task % a->heads};
    const int32_t *span = a->spans ? a->spans + 2 * head.b : NULL;
    head.first = span ? (size_t)span[0] : head.b * a->length;
    head.length = span ? (size_t)(span[1] - span[0]) : a->length;
    const uint8_t *pad = a->pad ? a->pad + head.first : NULL;
    head.keys = head.length;
    while (pad && head.keys > 1 && pad[head.keys - 1])
        head.keys--;
    head.width = width_of(head.keys);
    for (size_t j = 0; j < head.width; j++)
        bias[j] = j < head.keys && !(pad && pad[j]) ? 0 : -INFINITY;
    head.q = a->qkv + head.first * 3 * a->dim + head.h * a->size;
    head.k = head.q + a->dim;
    head.v = head.k + a->dim;
    return head;
}

/* Dropout factors of one query's row. */
static void row_factors(float *factors, const struct attention *a, const struct head *head,
                        size_t query)
{
    uint64_t row = ((uint64_t)head->b * a->heads + head->h) * a->length + query;
    mask_factors(factors, &a->mask, row * a->length, head->width);
}

/* scores = exp(scores - their greatest) through the dropout; *total is the sum before it. Returns
 * the log of the sum of the scores' exponentials. */
static float softmax_row(float *scores, float *total, const float *bias, const float *factors,
                         size_t width)
{
    float most = -INFINITY, sum = 0;
#pragma omp simd reduction(max : most)
    for (size_t j = 0; j < width; j++) {
        float s = scores[j] + bias[j];
        most = s > most ? s : most;
    }
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < width; j++) {
        float e = expf(scores[j] + bias[j] - most);
        sum += e;
        scores[j] = e * factors[j];
    }
    *total = sum;
    return most + logf(sum);
}

/* The product leaves the columns after the keys as the last row left them, perhaps not numbers. */
static void clear_rest(float *row, const struct head *head)
{
    memset(row + head->keys, 0, (head->width - head->keys) * sizeof *row);
}

/* y and lse of `rows` queries from `query` on */
static void block_forward(const struct device *d, float *y, float *lse, const struct attention *a,
                          const struct head *head, const struct room *room, size_t query,
                          size_t rows)
{
    size_t stride = 3 * a->dim;
    cpu_product(d, 'N', 'T', rows, head->keys, a->size, a->scale, head->q + query * stride, stride,
                head->k, stride, 0, room->scores, head->width);
    float totals[QUERIES];
    for (size_t i = 0; i < rows; i++) {
        float *scores = room->scores + i * head->width;
        clear_rest(scores, head);
        row_factors(room->factors, a, head, query + i);
        lse[i] = softmax_row(scores, totals + i, room->bias, room->factors, head->width);
    }
    cpu_product(d, 'N', 'N', rows, a->size, head->keys, 1, room->scores, head->width, head->v,
                stride, 0, y, a->dim);
    for (size_t i = 0; i < rows; i++)
#pragma omp simd
        for (size_t j = 0; j < a->size; j++)
            y[i * a->dim + j] /= totals[i];
}

void cpu_attention_forward(struct device *d, float *y, float *lse, const float *qkv,
                           const uint8_t *pad, const int32_t *spans, size_t batch, size_t length,
                           size_t dim, size_t heads, const struct dropout *drop)
{
    struct attention a = attention_of(qkv, pad, spans, length, dim, heads, drop);
    int threads = workers(d, batch * heads * length * length);
    float *scratch = cpu_scratch(d, (size_t)threads * room_size(length, 1) * sizeof *scratch);
    if (!scratch)
        return;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t task = 0; task < batch * heads; task++) {
        struct room room = room_of(scratch, length, 1);
        struct head head = head_of(&a, task, room.bias);
        for (size_t query = 0; query < head.length; query += QUERIES)
            block_forward(d, y + (head.first + query) * dim + head.h * a.size,
                          lse + task * length + query, &a, &head, &room, query,
                          least(QUERIES, head.length - query));
    }
}

/* Turns scores into probabilities through the dropout, and dscores, the gradient by those, into the
 * gradient by the scores: p (factor dscore - mean), where `mean` is the sum of p factor dscore,
 * which is that of dy y. */
static void backward_row(float *scores, float *dscores, const float *bias, const float *factors,
                         float lse, float mean, size_t width)
{
#pragma omp simd
    for (size_t j = 0; j < width; j++) {
        float p = expf(scores[j] + bias[j] - lse);
        scores[j] = p * factors[j];
        dscores[j] = p * (factors[j] * dscores[j] - mean);
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Adds to dk and dv what `rows` queries from `query` on give (the first of them overwrites unless
 * `add`), and puts their dq in its place. dq, dy and y point to the head's first row; lse to the
 * first query of the block. */
static void block_backward(const struct device *d, float *dq, const float *dy, const float *y,
                           const float *lse, const struct attention *a, const struct head *head,
                           const struct room *room, size_t query, size_t rows, bool add)
{
    size_t stride = 3 * a->dim, width = head->width, keys = head->keys, size = a->size,
           dim = a->dim;
    float *dk = dq + dim, *dv = dk + dim, keep = add || query ? 1 : 0;
    const float *q = head->q + query * stride, *block_dy = dy + query * dim,
                *block_y = y + query * dim;
    cpu_product(d, 'N', 'T', rows, keys, size, a->scale, q, stride, head->k, stride, 0,
                room->scores, width);
    cpu_product(d, 'N', 'T', rows, keys, size, 1, block_dy, dim, head->v, stride, 0, room->dscores,
                width);
    for (size_t i = 0; i < rows; i++) {
        float *scores = room->scores + i * width, *dscores = room->dscores + i * width;
        clear_rest(scores, head);
        clear_rest(dscores, head);
        row_factors(room->factors, a, head, query + i);
        backward_row(scores, dscores, room->bias, room->factors, lse[i],
                     dot(block_dy + i * dim, block_y + i * dim, size), width);
    }
    cpu_product(d, 'T', 'N', keys, size, rows, 1, room->scores, width, block_dy, dim, keep, dv,
                stride);
    cpu_product(d, 'T', 'N', keys, size, rows, a->scale, room->dscores, width, q, stride, keep, dk,
                stride);
    cpu_product(d, 'N', 'N', rows, size, keys, a->scale, room->dscores, width, head->k, stride,
                add ? 1 : 0, dq + query * stride, stride);
}

/* Keys that were left out have no gradient. */
static void clear_left_out(float *dk, float *dv, const struct attention *a, const struct head *head)
{
    for (size_t j = head->keys; j < head->length; j++) {
        memset(dk + j * 3 * a->dim, 0, a->size * sizeof *dk);
        memset(dv + j * 3 * a->dim, 0, a->size * sizeof *dv);
    }
}

void cpu_attention_backward(struct device *d, float *dqkv, const float *dy, const float *y,
                            const float *lse, const float *qkv, const uint8_t *pad,
                            const int32_t *spans, size_t batch, size_t length, size_t dim,
                            size_t heads, const struct dropout *drop, bool add)
{
    if (!dqkv)
        return;
    struct attention a = attention_of(qkv, pad, spans, length, dim, heads, drop);
    int threads = workers(d, batch * heads * length * length);
    float *scratch = cpu_scratch(d, (size_t)threads * room_size(length, 2) * sizeof *scratch);
    if (!scratch)
        return;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t task = 0; task < batch * heads; task++) {
        struct room room = room_of(scratch, length, 2);
        struct head head = head_of(&a, task, room.bias);
        float *dq = dqkv + (head.q - qkv);
        size_t at = head.first * dim + head.h * a.size;
        for (size_t query = 0; query < head.length; query += QUERIES)
            block_backward(d, dq, dy + at, y + at, lse + task * length + query, &a, &head, &room,
                           query, least(QUERIES, head.length - query), add);
        if (!add)
            clear_left_out(dq + dim, dq + 2 * dim, &a, &head);
    }
}
