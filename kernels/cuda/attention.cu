/* Multi-head attention without its matrix in memory.
 *
 * Forward, a block has some queries of a head, and what it has so far of their y is rescaled
 * whenever a greater score turns up. Backward, scores and dropout are computed again: once with
 * blocks that have queries, for dq, and once with blocks that have keys, for dk and dv, so that
 * every gradient is summed by one block, in order. */
#include "kernels/cuda/attention.h"

/* What a thread must know of its columns, which are keys, and of its rows, which are queries. */
template <int R, int C> struct view {
    bool seen[C];     /* the key is there, and no padding */
    size_t number[C]; /* of the key */
    size_t limit[R];  /* the query sees keys whose number is less */
};

/* Scores become their exponentials by the greatest so far (`most`, of each row), those that are not
 * seen 0, and total their sum in this thread; returns in `keep` by what earlier exponentials
 * shrink. */
template <bool MASKED, int R, int C>
static __device__ void exponentials(float (&scores)[R][C], float (&most)[R], float (&total)[R],
                                    float (&keep)[R], const struct view<R, C> &view, float scale)
{
    for (int r = 0; r < R; r++) {
        float top = most[r], sum = 0;
        for (int c = 0; c < C; c++) {
            bool seen = view.seen[c] && (!MASKED || view.number[c] < view.limit[r]);
            scores[r][c] = seen ? scores[r][c] * scale : -INFINITY;
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

template <int D, int QUERIES, int KEYS, bool MASKED>
static __global__ void __launch_bounds__(BLOCK, D > 96 ? 2 : 3) /* three have no memory then */
    forward(float *y, float *lse, struct work w)
{
    const struct attention &a = w.shape;
    constexpr int R = QUERIES / DOWN, C = KEYS / ACROSS, W = D / ACROSS;
    auto &[q, kv, p, kept] = block_memory_as<forward_tiles<D, QUERIES, KEYS>>();
    size_t tiles = pieces(a.queries.length, QUERIES), query = blockIdx.x % tiles * QUERIES;
    struct head head = head_of(w, blockIdx.x / tiles);
    const float *from = w.q + (head.query + query) * a.q_stride + head.column;
    if (query >= head.queries)
        return;
    head.keys = keys_of(w, head);
    float out[R][W] = {}, total[R] = {}, most[R], scores[R][C], keep[R];
    struct view<R, C> view;
    for (int r = 0; r < R; r++) {
        most[r] = -INFINITY;
        view.limit[r] = MASKED ? keys_seen(w, head, query + row_of(r)) : head.keys;
    }
    size_t end = keys_end<MASKED>(w, head, query + QUERIES - 1);
    if (end > 0)
        load<QUERIES, D>(q, from, a.q_stride, head.queries - query, a.size);
    for (size_t key = 0; key < end; key += KEYS) {
        size_t at = head.key + key;
        for (int c = 0; c < C; c++) {
            view.number[c] = key + column_of(c);
            view.seen[c] = visible(w, head, view.number[c]);
        }
        __syncthreads();
        load<KEYS, D>(kv, w.k + at * a.k_stride + head.column, a.k_stride, head.keys - key, a.size);
        draw<QUERIES, KEYS>(kept, w, head, query, key);
        loaded();
        __syncthreads();
        dots<R, C, D>(scores, q, kv);
        exponentials<MASKED>(scores, most, total, keep, view, w.scale);
        for (int r = 0; r < R; r++)
            for (int c = 0; c < C; c++)
                scores[r][c] *= factor<KEYS>(kept, w.mask, row_of(r), column_of(c));
        for (int r = 0; r < R; r++)
            for (int c = 0; c < W; c++)
                out[r][c] *= keep[r];
        store(p, scores);
        __syncthreads();
        load<KEYS, D>(kv, w.v + at * a.v_stride + head.column, a.v_stride, head.keys - key, a.size);
        loaded();
        __syncthreads();
        add_product<R, W, KEYS>(out, p, kv);
    }
    for (int r = 0; r < R; r++) {
        size_t own = query + row_of(r);
        total[r] = over_row(total[r], [](float a, float b) { return a + b; });
        if (across() == 0 && own < head.queries)
            lse[head.task * a.queries.length + own] = most[r] + logf(total[r]);
        for (int c = 0; c < W; c++)
            out[r][c] /= total[r] == 0 ? 1 : total[r];
    }
    put_tile(y + (head.query + query) * w.dim + head.column, w.dim, head.queries - query, a.size,
             out, 1, false);
}

/* delta[task,query] = dy y of a query, a warp to each */
static __global__ void dot_outputs(float *delta, const float *dy, const float *y, struct work w)
{
    const struct attention &a = w.shape;
    each_row(a.queries.batch * a.heads * a.queries.length, [=](size_t i) {
        const struct head head = head_of(w, i / w.shape.queries.length);
        size_t query = i % w.shape.queries.length, at = (head.query + query) * w.dim + head.column;
        float sum = 0;
        if (query < head.queries)
            each_in_warp(w.shape.size, [&](size_t j) { sum += dy[at + j] * y[at + j]; });
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

static __device__ struct side side_of(const struct work &w, const struct head &head,
                                      const float *dy, bool keys)
{
    const struct attention &a = w.shape;
    if (keys)
        return {w.k + head.key * a.k_stride + head.column,
                w.v + head.key * a.v_stride + head.column, a.k_stride, a.v_stride, head.keys};
    return {w.q + head.query * a.q_stride + head.column, dy + head.query * w.dim + head.column,
            a.q_stride, w.dim, head.queries};
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
    size_t bound; /* of a key its number, of a query that of the first key it does not see */
};

/* Of a tile's row or column: one past the end is seen by none, and sees none. */
static __device__ struct beside beside_of(const struct work &w, const struct head &head,
                                          const struct outputs &o, bool key, size_t at)
{
    size_t query = head.task * w.shape.queries.length + at;
    if (key)
        return {0, 0, visible(w, head, at), at};
    if (at < head.queries)
        return {o.lse[query], o.delta[query], true, keys_seen(w, head, at)};
    return {0, 0, false, 0};
}

/* Turns scores into probabilities through the dropout, and dscores, the gradients by those, into
 * the gradients by the scores: p (factor dscore - delta). The tile's rows are queries or, OF_KEYS,
 * keys. */
template <int R, int C, int KEYS, bool OF_KEYS, bool MASKED>
static __device__ void slopes(float (&scores)[R][C], float (&dscores)[R][C],
                              const kept_row<KEYS> *kept, const struct beside (&rows)[R],
                              const struct beside (&columns)[C], const struct work &w)
{
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
        for (int c = 0; c < C; c++) {
            const struct beside &query = OF_KEYS ? columns[c] : rows[r];
            const struct beside &key = OF_KEYS ? rows[r] : columns[c];
            unsigned i = row_of(r), j = column_of(c);
            float by =
                OF_KEYS ? factor<KEYS>(kept, w.mask, j, i) : factor<KEYS>(kept, w.mask, i, j);
            bool seen = query.seen && key.seen && (!MASKED || key.bound < query.bound);
            float p = seen ? expf(scores[r][c] * w.scale - query.lse) : 0;
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

/* Gradients that are wanted, and whether they are added. */
struct gradients {
    float *q, *k, *v;
    bool add_q, add_k, add_v;
};

/* Where the others begin, and end, of which a block whose own rows begin at `row` has to see any.
 */
template <int OWN, int OTHERS, bool OF_KEYS, bool MASKED>
static __device__ size_t others_begin(const struct work &w, size_t row)
{
    if (!MASKED || !OF_KEYS || !w.shape.masked || row <= w.shape.offset)
        return 0;
    return (row - w.shape.offset) / OTHERS * OTHERS;
}

template <int OWN, bool OF_KEYS, bool MASKED>
static __device__ size_t others_end(const struct work &w, const struct head &head, size_t row)
{
    return OF_KEYS ? head.queries : keys_end<MASKED>(w, head, row + OWN - 1);
}

template <int D, int OWN, int OTHERS, bool OF_KEYS, bool MASKED>
static __global__ void __launch_bounds__(BLOCK)
    backward(struct gradients g, struct outputs o, struct work w)
{
    constexpr int R = OWN / DOWN, C = OTHERS / ACROSS, W = D / ACROSS;
    constexpr int QUERIES = OF_KEYS ? OTHERS : OWN, KEYS = OF_KEYS ? OWN : OTHERS;
    auto &[first, second, other, p, kept] =
        block_memory_as<backward_tiles<D, OWN, OTHERS, OF_KEYS>>();
    const struct attention &a = w.shape;
    size_t tiles = pieces(OF_KEYS ? a.keys.length : a.queries.length, OWN);
    size_t row = blockIdx.x % tiles * OWN;
    struct head head = head_of(w, blockIdx.x / tiles);
    size_t all = OF_KEYS ? head.keys : head.queries;
    if (row >= all)
        return;
    head.keys = keys_of(w, head);
    const struct side own = side_of(w, head, o.dy, OF_KEYS),
                      others = side_of(w, head, o.dy, !OF_KEYS);
    float by_first[R][W] = {}, by_second[R][W] = {}, scores[R][C], dscores[R][C];
    struct beside rows[R], columns[C];
    for (int r = 0; r < R; r++)
        rows[r] = beside_of(w, head, o, OF_KEYS, row + row_of(r));
    size_t begin = others_begin<OWN, OTHERS, OF_KEYS, MASKED>(w, row),
           end = others_end<OWN, OF_KEYS, MASKED>(w, head, row);
    /* else all are padding, or there are no others: gradients are 0 */
    bool any = row < own.rows && begin < end;
    if (any) {
        load_first<OWN, D>(first, own, row, a.size);
        load_second<OWN, D>(second, own, row, a.size);
    }
    for (size_t at = begin; any && at < end; at += OTHERS) {
        size_t query = OF_KEYS ? at : row, key = OF_KEYS ? row : at;
        __syncthreads();
        load_first<OTHERS, D>(other, others, at, a.size);
        draw<QUERIES, KEYS>(kept, w, head, query, key);
        loaded();
        __syncthreads();
        dots<R, C, D>(scores, first, other);
        __syncthreads();
        load_second<OTHERS, D>(other, others, at, a.size);
        for (int c = 0; c < C; c++)
            columns[c] = beside_of(w, head, o, !OF_KEYS, at + column_of(c));
        loaded();
        __syncthreads();
        dots<R, C, D>(dscores, second, other);
        slopes<R, C, KEYS, OF_KEYS, MASKED>(scores, dscores, kept, rows, columns, w);
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
    size_t left = all - row, at = (OF_KEYS ? head.key : head.query) + row;
    if (OF_KEYS && g.k)
        put_tile(g.k + at * a.k_stride + head.column, a.k_stride, left, a.size, by_first, w.scale,
                 g.add_k);
    if (OF_KEYS && g.v)
        put_tile(g.v + at * a.v_stride + head.column, a.v_stride, left, a.size, by_second, 1,
                 g.add_v);
    if (!OF_KEYS)
        put_tile(g.q + at * a.q_stride + head.column, a.q_stride, left, a.size, by_first, w.scale,
                 g.add_q);
}

/* --- on the host */

static struct work work_of(struct device *d, const float *q, const float *k, const float *v,
                           const struct attention *a, const struct dropout *drop)
{
    if (a->size > MOST_SIZE)
        cuda_fail(d, "attention heads of %zu values, but expected at most %d", a->size, MOST_SIZE);
    return {*a, a->heads * a->size, 1 / sqrtf((float)a->size), mask_of(drop), q, k, v};
}

/* Do some queries not see what others do? */
static bool is_masked(const struct attention &a)
{
    return a.masked || a.queries.pad;
}

template <int D, int QUERIES, int KEYS>
static void launch_forward(struct device *d, float *y, float *lse, const struct work &w)
{
    const struct attention &a = w.shape;
    size_t blocks = a.queries.batch * a.heads * pieces(a.queries.length, QUERIES);
    launch_with(d, sizeof(forward_tiles<D, QUERIES, KEYS>),
                is_masked(a) ? forward<D, QUERIES, KEYS, true> : forward<D, QUERIES, KEYS, false>,
                blocks, BLOCK, y, lse, w);
}

void cuda_attention_forward(struct device *d, float *y, float *lse, const float *q, const float *k,
                            const float *v, const struct attention *a, const struct dropout *drop)
{
    struct work w = work_of(d, q, k, v, a, drop);
    if (a->size <= 32)
        launch_forward<32, 64, 64>(d, y, lse, w);
    else if (a->size <= 64)
        launch_forward<64, 64, 64>(d, y, lse, w);
    else if (a->size <= 96)
        launch_forward<96, 64, 64>(d, y, lse, w);
    else
        launch_forward<128, 64, 64>(d, y, lse, w);
}

template <int D, int OWN, int OTHERS, bool OF_KEYS>
static void launch_side(struct device *d, const struct gradients &g, const struct outputs &o,
                        const struct work &w)
{
    const struct attention &a = w.shape;
    size_t tiles = pieces(OF_KEYS ? a.keys.length : a.queries.length, OWN);
    launch_with(d, sizeof(backward_tiles<D, OWN, OTHERS, OF_KEYS>),
                is_masked(a) ? backward<D, OWN, OTHERS, OF_KEYS, true>
                             : backward<D, OWN, OTHERS, OF_KEYS, false>,
                a.queries.batch * a.heads * tiles, BLOCK, g, o, w);
}

template <int D, int OWN, int OTHERS>
static void launch_backward(struct device *d, const struct gradients &g, const struct outputs &o,
                            const struct work &w)
{
    if (g.q)
        launch_side<D, OWN, OTHERS, false>(d, g, o, w);
    if (g.k || g.v)
        launch_side<D, OWN, OTHERS, true>(d, g, o, w);
}

void cuda_attention_backward(struct device *d, float *dq, float *dk, float *dv, const float *dy,
                             const float *y, const float *lse, const float *q, const float *k,
                             const float *v, const struct attention *a, const struct dropout *drop,
                             bool add_q, bool add_k, bool add_v)
{
    struct work w = work_of(d, q, k, v, a, drop);
    struct gradients g = {dq, dk, dv, add_q, add_k, add_v};
    size_t queries = a->queries.batch * a->heads * a->queries.length;
    float *delta = static_cast<float *>(cuda_scratch(d, queries * sizeof *delta));
    struct outputs o = {dy, lse, delta};
    launch(d, dot_outputs, cuda_blocks(d, queries, WARPS), THREADS, delta, dy, y, w);
    if (a->size <= 32)
        launch_backward<32, 64, 64>(d, g, o, w);
    else if (a->size <= 64)
        launch_backward<64, 64, 64>(d, g, o, w);
    else if (a->size <= 96)
        launch_backward<96, 64, 64>(d, g, o, w);
    else
        launch_backward<128, 32, 64>(d, g, o, w);
}
