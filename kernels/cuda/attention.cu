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
        top = over_row(top, [](float a, float b) { return fmaxf(a, b); });
        float by = top == -INFINITY ? 0 : top;
        for (int c = 0; c < C; c++)
            sum += scores[r][c] = expf(scores[r][c] - by);
        keep[r] = expf(most[r] - by);
        total[r] = total[r] * keep[r] + sum;
        most[r] = top;
    }
}

/* A block's shared memory. */
template <int D, int QUERIES, int KEYS> struct forward_tiles {
    float q[QUERIES][D + GAP], kv[KEYS][D + GAP], p[QUERIES][KEYS + GAP];
    kept_row<KEYS> kept[QUERIES];
};

template <int D, int QUERIES, int KEYS>
static __global__ void __launch_bounds__(BLOCK, D > 96 ? 2 : 3) /* three have no memory then */
    forward(float *y, float *lse, struct attention a)
{
    constexpr int R = QUERIES / DOWN, C = KEYS / ACROSS, W = D / ACROSS;
    auto &[q, kv, p, kept] = block_memory_as<forward_tiles<D, QUERIES, KEYS>>();
    size_t tiles = pieces(a.length, QUERIES), query = blockIdx.x % tiles * QUERIES;
    struct head head = head_of(a, blockIdx.x / tiles);
    const float *from = a.qkv + head.first * 3 * a.dim + head.column;
    if (query >= head.length)
        return;
    head.keys = keys_of(a, head);
    float out[R][W] = {}, total[R] = {}, most[R], scores[R][C], keep[R];
    for (int r = 0; r < R; r++)
        most[r] = -INFINITY;
    load<QUERIES, D>(q, from + query * 3 * a.dim, 3 * a.dim, head.length - query, a.size);
    for (size_t key = 0; key < head.keys; key += KEYS) {
        const float *k = from + a.dim + key * 3 * a.dim;
        bool seen[C];
        for (int c = 0; c < C; c++)
            seen[c] = visible(a, head, key + column_of(c));
        __syncthreads();
        load<KEYS, D>(kv, k, 3 * a.dim, head.keys - key, a.size);
        draw<QUERIES, KEYS>(kept, a, head, query, key);
        loaded();
        __syncthreads();
        dots<R, C, D>(scores, q, kv);
        exponentials(scores, most, total, keep, seen, a.scale);
        for (int r = 0; r < R; r++)
            for (int c = 0; c < C; c++)
                scores[r][c] *= factor<KEYS>(kept, a.mask, row_of(r), column_of(c));
        for (int r = 0; r < R; r++)
            for (int c = 0; c < W; c++)
                out[r][c] *= keep[r];
        store(p, scores);
        __syncthreads();
        load<KEYS, D>(kv, k + a.dim, 3 * a.dim, head.keys - key, a.size);
        loaded();
        __syncthreads();
        add_product<R, W, KEYS>(out, p, kv);
    }
    for (int r = 0; r < R; r++) {
        size_t own = query + row_of(r);
        total[r] = over_row(total[r], [](float a, float b) { return a + b; });
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

/* One side of a head's matrix: its queries with their dy, or its keys with their values. */
struct side {
    const float *first, *second;
    size_t first_stride, second_stride, rows;
};

static __device__ struct side side_of(const struct attention &a, const struct head &head,
                                      const float *dy, bool keys)
{
    const float *q = a.qkv + head.first * 3 * a.dim + head.column;
    if (keys)
        return {q + a.dim, q + 2 * a.dim, 3 * a.dim, 3 * a.dim, head.keys};
    return {q, dy + head.first * a.dim + head.column, 3 * a.dim, a.dim, head.length};
}

template <int ROWS, int D>
static __device__ void load_first(float (&tile)[ROWS][D + GAP], const struct side &side, size_t at,
                                  size_t size)
{
    load<ROWS, D>(tile, side.first + at * side.first_stride, side.first_stride,
                  side.rows > at ? side.rows - at : 0, size);
}

template <int ROWS, int D>
static __device__ void load_second(float (&tile)[ROWS][D + GAP], const struct side &side, size_t at,
                                   size_t size)
{
    load<ROWS, D>(tile, side.second + at * side.second_stride, side.second_stride,
                  side.rows > at ? side.rows - at : 0, size);
}

/* What slopes must know of a query, or of a key. */
struct beside {
    float lse, delta;
    bool seen;
};

/* Of a tile's row or column: one past the end is seen by none, and sees none. */
static __device__ struct beside beside_of(const struct attention &a, const struct head &head,
                                          const struct outputs &o, bool key, size_t at)
{
    size_t query = head.task * a.length + at;
    if (key)
        return {0, 0, visible(a, head, at)};
    if (at < head.length)
        return {o.lse[query], o.delta[query], true};
    return {0, 0, false};
}

/* Turns scores into probabilities through the dropout, and dscores, the gradients by those, into
 * the gradients by the scores: p (factor dscore - delta). The tile's rows are queries or, OF_KEYS,
 * keys. */
template <int R, int C, int KEYS, bool OF_KEYS>
static __device__ void slopes(float (&scores)[R][C], float (&dscores)[R][C],
                              const kept_row<KEYS> *kept, const struct beside (&rows)[R],
                              const struct beside (&columns)[C], const struct attention &a)
{
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
        for (int c = 0; c < C; c++) {
            const struct beside &query = OF_KEYS ? columns[c] : rows[r];
            unsigned i = row_of(r), j = column_of(c);
            float by =
                OF_KEYS ? factor<KEYS>(kept, a.mask, j, i) : factor<KEYS>(kept, a.mask, i, j);
            bool seen = rows[r].seen && columns[c].seen;
            float p = seen ? expf(scores[r][c] * a.scale - query.lse) : 0;
            dscores[r][c] = seen ? p * (by * dscores[r][c] - query.delta) : 0;
            scores[r][c] = p * by;
        }
}

/* The block's own rows are queries, and others keys: dq of its own. Or, OF_KEYS, its own rows are
 * keys, and others queries: dk and dv. */
template <int D, int OWN, int OTHERS, bool OF_KEYS> struct backward_tiles {
    float first[OWN][D + GAP], second[OWN][D + GAP], other[OTHERS][D + GAP], p[OWN][OTHERS + GAP];
    kept_row<OF_KEYS ? OWN : OTHERS> kept[OF_KEYS ? OTHERS : OWN];
};

template <int D, int OWN, int OTHERS, bool OF_KEYS>
static __global__ void __launch_bounds__(BLOCK)
    backward(float *dqkv, struct outputs o, struct attention a, bool add)
{
    constexpr int R = OWN / DOWN, C = OTHERS / ACROSS, W = D / ACROSS;
    constexpr int QUERIES = OF_KEYS ? OTHERS : OWN, KEYS = OF_KEYS ? OWN : OTHERS;
    auto &[first, second, other, p, kept] =
        block_memory_as<backward_tiles<D, OWN, OTHERS, OF_KEYS>>();
    size_t tiles = pieces(a.length, OWN), row = blockIdx.x % tiles * OWN;
    struct head head = head_of(a, blockIdx.x / tiles);
    if (row >= head.length)
        return;
    head.keys = keys_of(a, head);
    const struct side own = side_of(a, head, o.dy, OF_KEYS),
                      others = side_of(a, head, o.dy, !OF_KEYS);
    float by_first[R][W] = {}, by_second[R][W] = {}, scores[R][C], dscores[R][C];
    struct beside rows[R], columns[C];
    for (int r = 0; r < R; r++)
        rows[r] = beside_of(a, head, o, OF_KEYS, row + row_of(r));
    bool any = row < own.rows; /* else all are padding, by which gradients are 0 */
    if (any) {
        load_first<OWN, D>(first, own, row, a.size);
        load_second<OWN, D>(second, own, row, a.size);
    }
    for (size_t at = 0; any && at < others.rows; at += OTHERS) {
        size_t query = OF_KEYS ? at : row, key = OF_KEYS ? row : at;
        __syncthreads();
        load_first<OTHERS, D>(other, others, at, a.size);
        draw<QUERIES, KEYS>(kept, a, head, query, key);
        loaded();
        __syncthreads();
        dots<R, C, D>(scores, first, other);
        __syncthreads();
        load_second<OTHERS, D>(other, others, at, a.size);
        for (int c = 0; c < C; c++)
            columns[c] = beside_of(a, head, o, !OF_KEYS, at + column_of(c));
        loaded();
        __syncthreads();
        dots<R, C, D>(dscores, second, other);
        slopes<R, C, KEYS, OF_KEYS>(scores, dscores, kept, rows, columns, a);
        if (OF_KEYS) {
            store(p, scores);
            __syncthreads();
            add_product<R, W, OTHERS>(by_second, p, other);
        }
        __syncthreads();
        store(p, dscores);
        load_first<OTHERS, D>(other, others, at, a.size);
        loaded();
        __syncthreads();
        add_product<R, W, OTHERS>(by_first, p, other);
    }
    float *to = dqkv + (head.first + row) * 3 * a.dim + head.column;
    size_t left = head.length - row;
    put_tile(to + (OF_KEYS ? a.dim : 0), 3 * a.dim, left, a.size, by_first, a.scale, add);
    if (OF_KEYS)
        put_tile(to + 2 * a.dim, 3 * a.dim, left, a.size, by_second, 1, add);
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

template <int D, int QUERIES, int KEYS>
static void launch_forward(struct device *d, float *y, float *lse, const struct attention &a)
{
    size_t blocks = a.batch * a.heads * pieces(a.length, QUERIES);
    launch_with(d, sizeof(forward_tiles<D, QUERIES, KEYS>), forward<D, QUERIES, KEYS>, blocks,
                BLOCK, y, lse, a);
}

void cuda_attention_forward(struct device *d, float *y, float *lse, const float *qkv,
                            const uint8_t *pad, const int32_t *spans, size_t batch, size_t length,
                            size_t dim, size_t heads, const struct dropout *drop)
{
    struct attention a = attention_of(d, qkv, pad, spans, batch, length, dim, heads, drop);
    if (a.size <= 32)
        launch_forward<32, 64, 64>(d, y, lse, a);
    else if (a.size <= 64)
        launch_forward<64, 64, 64>(d, y, lse, a);
    else if (a.size <= 96)
        launch_forward<96, 64, 64>(d, y, lse, a);
    else
        launch_forward<128, 64, 64>(d, y, lse, a);
}

template <int D, int OWN, int OTHERS>
static void launch_backward(struct device *d, float *dqkv, struct outputs o,
                            const struct attention &a, bool add)
{
    size_t blocks = a.batch * a.heads * pieces(a.length, OWN);
    launch_with(d, sizeof(backward_tiles<D, OWN, OTHERS, false>), backward<D, OWN, OTHERS, false>,
                blocks, BLOCK, dqkv, o, a, add);
    launch_with(d, sizeof(backward_tiles<D, OWN, OTHERS, true>), backward<D, OWN, OTHERS, true>,
                blocks, BLOCK, dqkv, o, a, add);
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
        launch_backward<32, 64, 64>(d, dqkv, o, a, add);
    else if (a.size <= 64)
        launch_backward<64, 64, 64>(d, dqkv, o, a, add);
    else if (a.size <= 96)
        launch_backward<96, 64, 64>(d, dqkv, o, a, add);
    else
        launch_backward<128, 32, 64>(d, dqkv, o, a, add);
}
