/* Multi-head self-attention without its matrix in memory.
 *
 * Forward, a block has some queries of a head, and what it has so far of their y is rescaled
 * whenever a greater score turns up. Backward, scores and dropout are computed again: once with
 * blocks that have queries, for dq, and once with blocks that have keys, for dk and dv, so that
 * every gradient is summed by one block, in order. */
#include "kernels/cuda/attention.h"

/* Scores become their exponentials by the greatest so far (`most`, of each row), masked ones 0, and
 * total their sum in this thread; returns in `keep` by what earlier exponentials shrink. */
template <int R, int C>
static __device__ void exponentials(float (&scores)[R][C], float (&most)[R], float (&total)[R],
                                    float (&keep)[R], const bool (&seen)[C], float scale)
{
    for (int r = 0; r < R; r++) {
        float top = most[r], sum = 0;
        for (int c = 0; c < C; c++) {
            scores[r][c] = seen[c] ? scores[r][c] * scale : -INFINITY;
            top = fmaxf(top, scores[r][c]);
        }
        for (unsigned offset = ACROSS / 2; offset; offset /= 2)
            top = fmaxf(top, __shfl_xor_sync(everyone, top, offset));
        float by = top == -INFINITY ? 0 : top;
        for (int c = 0; c < C; c++)
            sum += scores[r][c] = expf(scores[r][c] - by);
        keep[r] = expf(most[r] - by);
        total[r] = total[r] * keep[r] + sum;
        most[r] = top;
    }
}

/* The sum of `value` over the threads of a row. */
static __device__ float row_sum(float value)
{
    for (unsigned offset = ACROSS / 2; offset; offset /= 2)
        value += __shfl_xor_sync(everyone, value, offset);
    return value;
}

template <int D, int QUERIES, int KEYS>
static __global__ void forward(float *y, float *lse, struct attention a)
{
    constexpr int R = QUERIES / DOWN, C = KEYS / ACROSS, W = D / ACROSS;
    __shared__ __align__(16) float q[QUERIES][D + GAP], kv[KEYS][D + GAP], p[QUERIES][KEYS + GAP];
    __shared__ kept_row<KEYS> kept[QUERIES];
    size_t tiles = pieces(a.length, QUERIES), query = blockIdx.x % tiles * QUERIES;
    const struct head head = head_of(a, blockIdx.x / tiles);
    const float *from = a.qkv + head.first * 3 * a.dim + head.column;
    if (query >= head.length)
        return;
    float out[R][W] = {}, total[R] = {}, most[R], scores[R][C], keep[R];
    for (int r = 0; r < R; r++)
        most[r] = -INFINITY;
    load<QUERIES, D>(q, from + query * 3 * a.dim, 3 * a.dim, head.length - query, a.size);
    for (size_t key = 0; key < head.keys; key += KEYS) {
        const float *k = from + a.dim + key * 3 * a.dim;
        bool seen[C];
        for (int c = 0; c < C; c++)
            seen[c] = visible(a, head, key + across() + ACROSS * c);
        __syncthreads();
        load<KEYS, D>(kv, k, 3 * a.dim, head.keys - key, a.size);
        draw<QUERIES, KEYS>(kept, a, head, query, key);
        __syncthreads();
        dots<R, C, D>(scores, q, kv);
        exponentials(scores, most, total, keep, seen, a.scale);
        for (int r = 0; r < R; r++)
            for (int c = 0; c < C; c++)
                scores[r][c] *=
                    factor<KEYS>(kept, a, head, query, key, down() * R + r, across() + ACROSS * c);
        for (int r = 0; r < R; r++)
            for (int c = 0; c < W; c++)
                out[r][c] *= keep[r];
        store(p, scores);
        __syncthreads();
        load<KEYS, D>(kv, k + a.dim, 3 * a.dim, head.keys - key, a.size);
        __syncthreads();
        add_product<R, W, KEYS>(out, p, kv);
    }
    for (int r = 0; r < R; r++) {
        size_t own = query + down() * R + r;
        total[r] = row_sum(total[r]);
        if (across() == 0 && own < head.length)
            lse[head.task * a.length + own] = most[r] + logf(total[r]);
        for (int c = 0; c < W; c++)
            out[r][c] /= total[r];
    }
    put_tile(y + (head.first + query) * a.dim + head.column, a.dim, head.length - query, a.size,
             out, 1, false);
}

/* delta[task,query] = dy y of a query, a warp to each */
static __global__ void dot_outputs(float *delta, const float *dy, const float *y,
                                   struct attention a)
{
    each_row(a.batch * a.heads * a.length, [=](size_t i) {
        const struct head head = head_of(a, i / a.length);
        size_t query = i % a.length, at = (head.first + query) * a.dim + head.column;
        float sum = 0;
        if (query < head.length)
            each_in_warp(a.size, [&](size_t j) { sum += dy[at + j] * y[at + j]; });
        sum = warp_sum(sum);
        if (lane() == 0)
            delta[i] = sum;
    });
}

/* What the backward pass reads. */
struct outputs {
    const float *dy, *lse, *delta;
};

/* Of one query and one key: turns the score into the probability through the dropout, and dscore,
 * the gradient by that, into the gradient by the score. */
static __device__ void slope(float *score, float *dscore, const struct attention &a, float lse,
                             float delta, float factor)
{
    float p = expf(*score * a.scale - lse);
    *score = p * factor;
    *dscore = p * (factor * *dscore - delta);
}

/* The block's own rows are queries, and others keys: dq of its own. Or, OF_KEYS, its own rows are
 * keys, and others queries: dk and dv. */
template <int D, int OWN, int OTHERS, bool OF_KEYS>
static __global__ void backward(float *dqkv, struct outputs o, struct attention a, bool add)
{
    constexpr int R = OWN / DOWN, C = OTHERS / ACROSS, W = D / ACROSS;
    constexpr int QUERIES = OF_KEYS ? OTHERS : OWN, KEYS = OF_KEYS ? OWN : OTHERS;
    __shared__ __align__(16) float own[OWN][D + GAP], own2[OWN][D + GAP], other[OTHERS][D + GAP],
        p[OWN][OTHERS + GAP];
    __shared__ kept_row<KEYS> kept[QUERIES];
    size_t tiles = pieces(a.length, OWN), first = blockIdx.x % tiles * OWN;
    const struct head head = head_of(a, blockIdx.x / tiles);
    if (first >= head.length)
        return;
    /* own and other: queries or keys; own2 and other2: dy or values */
    size_t stride = 3 * a.dim, row = head.task * a.length;
    size_t own_end = OF_KEYS ? head.keys : head.length,
           other_end = OF_KEYS ? head.length : head.keys;
    const float *q = a.qkv + head.first * stride + head.column, *k = q + a.dim, *v = k + a.dim;
    const float *dy = o.dy + head.first * a.dim + head.column;
    const float *own2_from = OF_KEYS ? v : dy, *other2_from = OF_KEYS ? dy : v;
    size_t own2_stride = OF_KEYS ? stride : a.dim, other2_stride = OF_KEYS ? a.dim : stride;
    size_t rows = own_end > first ? own_end - first : 0;
    float sums[R][W] = {}, sums2[R][W] = {}, scores[R][C], dscores[R][C];
    load<OWN, D>(own, (OF_KEYS ? k : q) + first * stride, stride, rows, a.size);
    load<OWN, D>(own2, own2_from + first * own2_stride, own2_stride, rows, a.size);
    for (size_t at = 0; rows && at < other_end; at += OTHERS) {
        size_t query = OF_KEYS ? at : first, key = OF_KEYS ? first : at;
        const float *from = (OF_KEYS ? q : k) + at * stride;
        __syncthreads();
        load<OTHERS, D>(other, from, stride, other_end - at, a.size);
        draw<QUERIES, KEYS>(kept, a, head, query, key);
        __syncthreads();
        dots<R, C, D>(scores, own, other);
        __syncthreads();
        load<OTHERS, D>(other, other2_from + at * other2_stride, other2_stride, other_end - at,
                        a.size);
        __syncthreads();
        dots<R, C, D>(dscores, own2, other);
        for (int r = 0; r < R; r++)
            for (int c = 0; c < C; c++) {
                unsigned i = down() * R + r, j = across() + ACROSS * c;
                unsigned of_q = OF_KEYS ? j : i, of_k = OF_KEYS ? i : j;
                if (query + of_q < head.length && visible(a, head, key + of_k))
                    slope(&scores[r][c], &dscores[r][c], a, o.lse[row + query + of_q],
                          o.delta[row + query + of_q],
                          factor<KEYS>(kept, a, head, query, key, of_q, of_k));
                else
                    scores[r][c] = dscores[r][c] = 0;
            }
        if (OF_KEYS) {
            store(p, scores);
            __syncthreads();
            add_product<R, W, OTHERS>(sums2, p, other);
        }
        __syncthreads();
        store(p, dscores);
        load<OTHERS, D>(other, from, stride, other_end - at, a.size);
        __syncthreads();
        add_product<R, W, OTHERS>(sums, p, other);
    }
    float *to = dqkv + (head.first + first) * stride + head.column;
    put_tile(to + (OF_KEYS ? a.dim : 0), stride, head.length - first, a.size, sums, a.scale, add);
    if (OF_KEYS)
        put_tile(to + 2 * a.dim, stride, head.length - first, a.size, sums2, 1, add);
}

/* --- on the host */

static struct attention attention_of(struct device *d, const float *qkv, const uint8_t *pad,
                                     const int32_t *spans, size_t batch, size_t length, size_t dim,
                                     size_t heads, const struct dropout *drop)
{
    size_t size = dim / heads;
    if (size > MOST_SIZE)
        cuda_fail(d, "attention heads of %zu values, but expected at most %d", size, MOST_SIZE);
    return {batch,         length, dim, heads, size, 1 / sqrtf((float)size),
            mask_of(drop), qkv,    pad, spans};
}

void cuda_attention_forward(struct device *d, float *y, float *lse, const float *qkv,
                            const uint8_t *pad, const int32_t *spans, size_t batch, size_t length,
                            size_t dim, size_t heads, const struct dropout *drop)
{
    struct attention a = attention_of(d, qkv, pad, spans, batch, length, dim, heads, drop);
    size_t blocks = batch * heads * pieces(length, 32);
    if (a.size <= 32)
        launch(d, forward<32, 32, 64>, blocks, BLOCK, y, lse, a);
    else if (a.size <= 64)
        launch(d, forward<64, 32, 64>, blocks, BLOCK, y, lse, a);
    else
        launch(d, forward<128, 32, 32>, blocks, BLOCK, y, lse, a);
}

template <int D, int OWN, int OTHERS>
static void launch_backward(struct device *d, float *dqkv, struct outputs o,
                            const struct attention &a, bool add)
{
    size_t blocks = a.batch * a.heads * pieces(a.length, OWN);
    launch(d, backward<D, OWN, OTHERS, false>, blocks, BLOCK, dqkv, o, a, add);
    launch(d, backward<D, OWN, OTHERS, true>, blocks, BLOCK, dqkv, o, a, add);
}

void cuda_attention_backward(struct device *d, float *dqkv, const float *dy, const float *y,
                             const float *lse, const float *qkv, const uint8_t *pad,
                             const int32_t *spans, size_t batch, size_t length, size_t dim,
                             size_t heads, const struct dropout *drop, bool add)
{
    if (!dqkv)
        return;
    struct attention a = attention_of(d, qkv, pad, spans, batch, length, dim, heads, drop);
    size_t queries = batch * heads * length;
    float *delta = static_cast<float *>(cuda_scratch(d, queries * sizeof *delta));
    struct outputs o = {dy, lse, delta};
    launch(d, dot_outputs, cuda_blocks(d, queries, WARPS), THREADS, delta, dy, y, a);
    if (a.size <= 32)
        launch_backward<32, 32, 64>(d, dqkv, o, a, add);
    else if (a.size <= 64)
        launch_backward<64, 32, 32>(d, dqkv, o, a, add);
    else
        launch_backward<128, 16, 32>(d, dqkv, o, a, add);
}
