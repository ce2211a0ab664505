/* Tensor fusion. The weights are read, and their gradient is written, where they are: a group of
 * pairs at a time, one thread each, whose sums are added up in the order of the groups.
 *
 * Where nothing is dropped, t comes first: its products with the weights of a pair are numbers by
 * sample, whose sum, each by its pair, is y. A mask is on each element; so the columns of a few
 * pairs are made, in a block that stays in the cache, and multiplied as they are. The same in the
 * backward pass, be there a mask or not: that takes two products, where t first would take three.
 */
#include "kernels/tensor_fusion.h"
#include "kernels/cpu/cpu.h"
#include <omp.h>
#include <string.h>

enum {
    GROUPS = 32,
    BLOCK = 1 << 15, /* floats: it stays in the cache, and its gradient too */
    LINE = 16        /* floats */
};

struct work {
    const struct device *d;
    const struct tensor_fusion *shape;
    const float *w, *dy;
    float *dw; /* NULL: not wanted */
    struct mask mask;
    size_t pairs, last, columns; /* all: those of a and v, of t, of the weights */
    size_t group, block;         /* pairs of each */
    size_t stride;               /* floats from a row of a block to the next */
    float *pair;                 /* [pairs,batch] */
    float *t;                    /* [batch,last] */
    float *sums;                 /* of each group: y, or the gradient with respect to t */
    size_t sums_size;            /* floats */
    float *by_pair;              /* [pairs,batch], gradients; NULL: none are wanted */
    float *own;                  /* of each thread */
    size_t own_size;             /* floats */
};

static size_t groups_of(const struct work *w)
{
    return (w->pairs + w->group - 1) / w->group;
}

static size_t lines(size_t floats)
{
    return (floats + LINE - 1) / LINE * LINE;
}

static struct work work_of(const struct device *d, const struct tensor_fusion *s, const float *w,
                           const struct dropout *drop)
{
    struct work work = {.d = d, .shape = s, .w = w, .mask = mask_of(drop)};
    work.pairs = fusion_pairs(s);
    work.last = s->t + 1;
    work.columns = fusion_columns(s);
    work.group = (work.pairs + GROUPS - 1) / GROUPS;
    work.block = least(work.group, BLOCK / (s->batch * work.last + 1) + 1);
    work.stride = lines(work.block * work.last);
    return work;
}

/* A block, and what is drawn for a row of it. */
static size_t block_size(const struct work *w)
{
    return w->shape->batch * w->stride;
}

static size_t row_size(const struct work *w)
{
    return lines(w->block * w->last + 8);
}

/* Memory for all, threads having own_size floats each. Returns whether it is there. */
static bool take_room(struct device *d, struct work *w, int threads, bool backward)
{
    size_t pairs = lines(w->pairs * w->shape->batch), t = lines(w->shape->batch * w->last);
    size_t all = (backward ? 2 : 1) * pairs + t + groups_of(w) * w->sums_size +
                 (size_t)threads * w->own_size;
    float *room = cpu_scratch(d, all * sizeof *room);
    if (!room)
        return false;
    w->pair = room;
    w->t = w->pair + pairs;
    w->sums = w->t + t;
    w->own = w->sums + groups_of(w) * w->sums_size;
    w->by_pair = backward ? w->own + (size_t)threads * w->own_size : NULL;
    return true;
}

/* Threads: without products of oneDNN only as many as they are worth; with them all, as one that is
 * alone would be given all threads. */
static int threads_for(const struct work *w, size_t m, size_t n, size_t k)
{
    return cpu_product_is_small(m, n, k) && cpu_product_is_small(m, k, n) &&
                   cpu_product_is_small(n, k, m)
               ? workers(w->d, w->shape->batch * w->columns * (w->shape->out + LINE) / 32)
               : w->d->threads;
}

static void make_pairs(const struct work *w, const float *a, const float *v, const float *t)
{
    const struct tensor_fusion *s = w->shape;
    int threads = workers(w->d, w->pairs * s->batch);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t pair = 0; pair < w->pairs; pair++)
        for (size_t b = 0; b < s->batch; b++)
            w->pair[pair * s->batch + b] = fusion_pair(a + b * s->a, v + b * s->v, s, pair);
    for (size_t b = 0; b < s->batch; b++) {
        w->t[b * w->last] = 1;
        memcpy(w->t + b * w->last + 1, t + b * s->t, s->t * sizeof *t);
    }
}

/* --- blocks: the columns of `count` pairs from `first` on */

/* The factors of sample b's, in `room`. */
static const float *factors_of(const struct work *w, float *room, size_t b, size_t first,
                               size_t count)
{
    uint64_t at = (uint64_t)b * w->columns + first * w->last, skip = at % 8;
    mask_factors(room, &w->mask, at - skip, skip + count * w->last);
    return room + skip;
}

/* A sample's row of a block. */
static void make_row(const struct work *w, float *x, const float *factors, size_t b, size_t first,
                     size_t count)
{
    const float *t = w->t + b * w->last;
    for (size_t i = 0; i < count; i++, x += w->last, factors += w->last) {
        float pair = w->pair[(first + i) * w->shape->batch + b];
#pragma omp simd
        for (size_t k = 0; k < w->last; k++)
            x[k] = factors[k] * (pair * t[k]);
    }
}

/* by_t[last] += what the gradients x with respect to a sample's row say of t, and what they say of
 * its pairs. */
static void reduce_row(const struct work *w, float *by_t, const float *x, const float *factors,
                       size_t b, size_t first, size_t count)
{
    const float *t = w->t + b * w->last;
    for (size_t i = 0; i < count; i++, x += w->last, factors += w->last) {
        size_t at = (first + i) * w->shape->batch + b;
        float pair = w->pair[at], sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t k = 0; k < w->last; k++) {
            float slope = factors[k] * x[k];
            sum += slope * t[k];
            by_t[k] += slope * pair;
        }
        w->by_pair[at] = sum;
    }
}

/* --- forward */

/* sums[batch,out] += the products of a block */
static void block_forward(const struct work *w, float *sums, float *own, size_t first, size_t count)
{
    const struct tensor_fusion *s = w->shape;
    float *x = own, *room = x + block_size(w);
    for (size_t b = 0; b < s->batch; b++)
        make_row(w, x + b * w->stride, factors_of(w, room, b, first, count), b, first, count);
    cpu_product(w->d, 'N', 'T', s->batch, s->out, count * w->last, 1, x, w->stride,
                w->w + first * w->last, w->columns, 1, sums, s->out);
}

/* sums[batch,out] of a group without a mask: products with t first */
static void contract(const struct work *w, float *sums, float *products, size_t first, size_t count)
{
    const struct tensor_fusion *s = w->shape;
    for (size_t p = 0; p < s->out; p++) {
        float *by_sample = products + w->group * s->batch;
        cpu_product(w->d, 'N', 'T', count, s->batch, w->last, 1,
                    w->w + p * w->columns + first * w->last, w->last, w->t, w->last, 0, products,
                    s->batch);
        memset(by_sample, 0, s->batch * sizeof *by_sample);
        for (size_t i = 0; i < count; i++) {
            const float *product = products + i * s->batch,
                        *pair = w->pair + (first + i) * s->batch;
#pragma omp simd
            for (size_t b = 0; b < s->batch; b++)
                by_sample[b] += product[b] * pair[b];
        }
        for (size_t b = 0; b < s->batch; b++)
            sums[b * s->out + p] = by_sample[b];
    }
}

static void group_forward(const struct work *w, size_t group, float *own)
{
    float *sums = w->sums + group * w->sums_size;
    size_t first = group * w->group, end = least(w->pairs, first + w->group);
    if (!w->mask.threshold) {
        contract(w, sums, own, first, end - first);
        return;
    }
    memset(sums, 0, w->sums_size * sizeof *sums);
    for (size_t at = first; at < end; at += w->block)
        block_forward(w, sums, own, at, least(w->block, end - at));
}

void cpu_tensor_fusion_forward(struct device *d, float *y, const float *a, const float *v,
                               const float *t, const float *w, const float *bias,
                               const struct tensor_fusion *s, const struct dropout *drop)
{
    struct work work = work_of(d, s, w, drop);
    bool masked = work.mask.threshold;
    int threads = masked ? threads_for(&work, s->batch, s->out, work.stride)
                         : threads_for(&work, work.group, s->batch, work.last);
    work.sums_size = lines(s->batch * s->out);
    work.own_size =
        lines(masked ? block_size(&work) + row_size(&work) : (work.group + 1) * s->batch);
    if (!take_room(d, &work, threads, false))
        return;
    make_pairs(&work, a, v, t);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t group = 0; group < groups_of(&work); group++)
        group_forward(&work, group, work.own + (size_t)omp_get_thread_num() * work.own_size);
    for (size_t i = 0; i < s->batch * s->out; i++) {
        y[i] = bias[i % s->out];
        for (size_t group = 0; group < groups_of(&work); group++)
            y[i] += work.sums[group * work.sums_size + i];
    }
}

/* --- backward */

/* The gradients with respect to a block, and the block itself, come into being together: both need
 * the mask. */
static void block_backward(const struct work *w, float *by_t, float *own, size_t first,
                           size_t count)
{
    const struct tensor_fusion *s = w->shape;
    float *x = own, *dx = x + block_size(w), *room = dx + block_size(w);
    size_t at = first * w->last, columns = count * w->last;
    if (w->by_pair)
        cpu_product(w->d, 'N', 'N', s->batch, columns, s->out, 1, w->dy, s->out, w->w + at,
                    w->columns, 0, dx, w->stride);
    for (size_t b = 0; b < s->batch; b++) {
        const float *factors = factors_of(w, room, b, first, count);
        if (w->dw)
            make_row(w, x + b * w->stride, factors, b, first, count);
        if (w->by_pair)
            reduce_row(w, by_t + b * w->last, dx + b * w->stride, factors, b, first, count);
    }
    if (w->dw)
        cpu_product(w->d, 'T', 'N', s->out, columns, s->batch, 1, w->dy, s->out, x, w->stride, 1,
                    w->dw + at, w->columns);
}

static void group_backward(const struct work *w, size_t group, float *own)
{
    float *by_t = w->sums + group * w->sums_size;
    size_t first = group * w->group, end = least(w->pairs, first + w->group);
    memset(by_t, 0, w->sums_size * sizeof *by_t);
    for (size_t at = first; at < end; at += w->block)
        block_backward(w, by_t, own, at, least(w->block, end - at));
}

/* The gradients of sample b. */
static void put_a(const struct work *w, float *da, const float *v, size_t b, bool add)
{
    const struct tensor_fusion *s = w->shape;
    for (size_t i = 0; i < s->a; i++) {
        const float *row = w->by_pair + (i + 1) * (s->v + 1) * s->batch + b;
        float sum = 0;
        for (size_t j = 0; j <= s->v; j++)
            sum += row[j * s->batch] * fusion_number(v + b * s->v, j);
        put(da + b * s->a + i, sum, add);
    }
}

static void put_v(const struct work *w, float *dv, const float *a, size_t b, bool add)
{
    const struct tensor_fusion *s = w->shape;
    for (size_t j = 0; j < s->v; j++) {
        const float *column = w->by_pair + (j + 1) * s->batch + b;
        float sum = 0;
        for (size_t i = 0; i <= s->a; i++)
            sum += column[i * (s->v + 1) * s->batch] * fusion_number(a + b * s->a, i);
        put(dv + b * s->v + j, sum, add);
    }
}

static void put_t(const struct work *w, float *dt, size_t b, bool add)
{
    const struct tensor_fusion *s = w->shape;
    for (size_t k = 0; k < s->t; k++) {
        const float *sums = w->sums + b * w->last + 1 + k;
        float sum = 0;
        for (size_t group = 0; group < groups_of(w); group++)
            sum += sums[group * w->sums_size];
        put(dt + b * s->t + k, sum, add);
    }
}

void cpu_tensor_fusion_backward(struct device *d, float *da, float *dv, float *dt, float *dw,
                                float *dbias, const float *dy, const float *a, const float *v,
                                const float *t, const float *w, const struct tensor_fusion *s,
                                const struct dropout *drop, bool add_a, bool add_v, bool add_t)
{
    struct work work = work_of(d, s, w, drop);
    int threads = threads_for(&work, s->batch, s->out, work.stride);
    work.dy = dy;
    work.dw = dw;
    work.sums_size = lines(s->batch * work.last);
    work.own_size = lines(2 * block_size(&work) + row_size(&work));
    if (!take_room(d, &work, threads, da || dv || dt))
        return;
    make_pairs(&work, a, v, t);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t group = 0; group < groups_of(&work); group++)
        group_backward(&work, group, work.own + (size_t)omp_get_thread_num() * work.own_size);
    for (size_t b = 0; b < s->batch; b++) {
        if (da)
            put_a(&work, da, v, b, add_a);
        if (dv)
            put_v(&work, dv, a, b, add_v);
        if (dt)
            put_t(&work, dt, b, add_t);
    }
    cpu_linear_backward(d, NULL, NULL, dbias, dy, NULL, NULL, s->batch, 0, s->out, false);
}
