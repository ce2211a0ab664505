/* What attention's two passes share: a block works on a tile of a head's queries or keys, and goes
 * through the others tile by tile. Its threads stand ACROSS by DOWN: a product of two tiles has R
 * rows and C columns for each of them, which are DOWN and ACROSS apart, so that the rows of both
 * tiles that a warp reads at a time are in different banks; columns of a result, in which a warp
 * reads along rows, are pairs (pair_of). */
#ifndef MSA_CUDA_ATTENTION_H
#define MSA_CUDA_ATTENTION_H

#include "kernels/cuda/cuda.h"
#include <cuda_pipeline.h>

enum {
    ACROSS = 16,
    DOWN = 8,
    BLOCK = ACROSS * DOWN,
    GAP = 4, /* between the rows of a tile: its columns are in different banks of shared memory */
    MOST_SIZE = 128 /* of a head */
};

struct work {
    struct attention shape;
    size_t dim;  /* of y's rows: all heads */
    float scale; /* of the scores */
    struct mask mask;
    const float *q, *k, *v;
};

/* One head of one sample. */
struct head {
    size_t task;           /* b heads + h */
    size_t query, queries; /* its first row of q, and their number */
    size_t key, keys;      /* of k and v; all of them, until keys_of has looked */
    size_t column;         /* of its queries in q, of its keys in k, of its values in v, and of y */
};

/* Where this thread stands. A warp has two rows, and neighbours in it are of one column: vectors
 * from shared memory take half the time where lanes n and n^1, or n and n^2, read the same. */
static __device__ inline unsigned across()
{
    return threadIdx.x % WARP / 2;
}

static __device__ inline unsigned down()
{
    return threadIdx.x / WARP * 2 + threadIdx.x % 2;
}

/* Where its row r is, and its column c of scores. */
static __device__ inline unsigned row_of(unsigned r)
{
    return down() + DOWN * r;
}

static __device__ inline unsigned column_of(unsigned c)
{
    return across() + ACROSS * c;
}

/* … and its column c of a result. */
static __device__ inline unsigned pair_of(unsigned c)
{
    return c / 2 * 2 * ACROSS + 2 * across() + c % 2;
}

/* f of the values that the threads of a row have */
template <class F> static __device__ float over_row(float value, F f)
{
    return over_warp(value, f, 2);
}

static __device__ inline size_t first_of(const struct sequences &s, size_t b)
{
    return s.spans ? (size_t)s.spans[2 * b] : b * s.length;
}

static __device__ inline size_t length_of(const struct sequences &s, size_t b)
{
    return s.spans ? (size_t)(s.spans[2 * b + 1] - s.spans[2 * b]) : s.length;
}

static __device__ inline struct head head_of(const struct work &w, size_t task)
{
    const struct attention &a = w.shape;
    size_t b = task / a.heads, column = task % a.heads * a.size;
    return {task,
            first_of(a.queries, b),
            length_of(a.queries, b),
            first_of(a.keys, b),
            length_of(a.keys, b),
            column};
}

/* How many keys there are up to the last that is not padding: the threads of a warp look together.
 */
static __device__ inline size_t keys_of(const struct work &w, const struct head &head)
{
    const uint8_t *pad = w.shape.keys.pad;
    if (!pad)
        return head.keys;
    unsigned long long keys = head.keys > 0;
    each_in_warp(head.keys, [&](size_t j) { keys = pad[head.key + j] ? keys : j + 1; });
    return over_warp(keys, [](auto one, auto other) { return other > one ? other : one; });
}

/* Is this key there, and no padding? */
static __device__ inline bool visible(const struct work &w, const struct head &head, size_t key)
{
    return key < head.keys && !(w.shape.keys.pad && w.shape.keys.pad[head.key + key]);
}

/* How many keys, from the first on, a query sees, where not all see all (MASKED). */
static __device__ inline size_t keys_seen(const struct work &w, const struct head &head,
                                          size_t query)
{
    const struct attention &a = w.shape;
    if (query >= head.queries || (a.queries.pad && a.queries.pad[head.query + query]))
        return 0;
    size_t most = a.masked ? query + a.offset + 1 : head.keys;
    return most < head.keys ? most : head.keys;
}

/* The same of all queries up to that one, padding among them. */
template <bool MASKED>
static __device__ size_t keys_end(const struct work &w, const struct head &head, size_t last)
{
    size_t most = MASKED && w.shape.masked ? last + w.shape.offset + 1 : head.keys;
    return most < head.keys ? most : head.keys;
}

/* tile[ROWS,D] = the first `size` columns of from's rows, as vectors of type V; what there is not
 * counts as 0. It is there when all threads have called loaded, and waited for each other. */
template <class V, int ROWS, int D>
static __device__ void load_as(float (&tile)[ROWS][D + GAP], const float *from, size_t stride,
                               size_t rows, size_t size)
{
    constexpr unsigned N = sizeof(V) / sizeof(float), VECTORS = WARP / N, PASS = BLOCK / VECTORS;
    static_assert(ROWS % PASS == 0 && D % WARP == 0);
    unsigned there = rows < ROWS ? (unsigned)rows : ROWS, wide = (unsigned)size;
    unsigned own = threadIdx.x / VECTORS, column = threadIdx.x % VECTORS * N;
    from += own * stride + column;
    for (unsigned r = own; r < ROWS; r += PASS, from += PASS * stride)
#pragma unroll
        for (unsigned c = 0; c < D; c += WARP) {
            V *to = reinterpret_cast<V *>(&tile[r][column + c]);
            if (r < there && column + c < wide)
                __pipeline_memcpy_async(to, from + c, sizeof(V));
            else
                *to = {};
        }
}

template <int ROWS, int D>
static __device__ void load(float (&tile)[ROWS][D + GAP], const float *from, size_t stride,
                            size_t rows, size_t size)
{
    if ((size | stride | reinterpret_cast<uintptr_t>(from) / sizeof *from) % 4 == 0)
        load_as<float4, ROWS, D>(tile, from, stride, rows, size);
    else
        load_as<float, ROWS, D>(tile, from, stride, rows, size);
}

/* What this thread has had loaded is in its tiles. */
static __device__ inline void loaded()
{
    __pipeline_commit();
    __pipeline_wait_prior(0);
}

/* sum + a b, in four fused operations rather than five */
static __device__ inline float add_dot(float sum, const float4 &a, const float4 &b)
{
    sum += a.x * b.x;
    sum += a.y * b.y;
    sum += a.z * b.z;
    return sum + a.w * b.w;
}

/* sums[R,C] = this thread's part of a b^T */
template <int R, int C, int D>
static __device__ void dots(float (&sums)[R][C], const float (&a)[R * DOWN][D + GAP],
                            const float (&b)[C * ACROSS][D + GAP])
{
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
        for (int c = 0; c < C; c++)
            sums[r][c] = 0;
    for (int k = 0; k < D; k += 4) {
        float4 left[R], right[C];
#pragma unroll
        for (int r = 0; r < R; r++)
            left[r] = *reinterpret_cast<const float4 *>(&a[row_of(r)][k]);
#pragma unroll
        for (int c = 0; c < C; c++)
            right[c] = *reinterpret_cast<const float4 *>(&b[column_of(c)][k]);
#pragma unroll
        for (int r = 0; r < R; r++)
#pragma unroll
            for (int c = 0; c < C; c++)
                sums[r][c] = add_dot(sums[r][c], left[r], right[c]);
    }
}

/* tile = what each thread has of it */
template <int R, int C>
static __device__ void store(float (&tile)[R * DOWN][C * ACROSS + GAP], const float (&own)[R][C])
{
    for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++)
            tile[row_of(r)][column_of(c)] = own[r][c];
}

/* sums[R,W] += this thread's part of p b */
template <int R, int W, int N>
static __device__ void add_product(float (&sums)[R][W], const float (&p)[R * DOWN][N + GAP],
                                   const float (&b)[N][W * ACROSS + GAP])
{
    for (int j = 0; j < N; j += 4) {
        float4 left[R];
#pragma unroll
        for (int r = 0; r < R; r++)
            left[r] = *reinterpret_cast<const float4 *>(&p[row_of(r)][j]);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float right[W];
#pragma unroll
            for (int c = 0; c < W; c += 2)
                *reinterpret_cast<float2 *>(&right[c]) =
                    *reinterpret_cast<const float2 *>(&b[j + i][pair_of(c)]);
#pragma unroll
            for (int r = 0; r < R; r++)
#pragma unroll
                for (int c = 0; c < W; c++)
                    sums[r][c] += (&left[r].x)[i] * right[c];
        }
    }
}

/* to[rows,size] = scale times the threads' parts of it, or that is added */
template <int R, int W>
static __device__ void put_tile(float *to, size_t stride, size_t rows, size_t size,
                                const float (&own)[R][W], float scale, bool add)
{
    for (int r = 0; r < R; r++)
        for (int c = 0; c < W; c++) {
            size_t row = row_of(r), column = pair_of(c);
            if (row < rows && column < size)
                put(to + row * stride + column, own[r][c] * scale, add);
        }
}

/* Dropout of a tile of queries by keys, a bit for each of its elements. */
template <int KEYS> using kept_row = uint32_t[KEYS / 32];

/* Those of 32 elements in a row, which may begin within a group of eight. */
static __device__ inline uint32_t draw_word(const struct mask &mask, uint64_t element)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 5; i++)
        bits |= (uint64_t)kept_of(mask, element / 8 + i) << 8 * i;
    return (uint32_t)(bits >> element % 8);
}

/* Draws them for the tile whose first element is that of `query` and `key`. */
template <int QUERIES, int KEYS>
static __device__ void draw(kept_row<KEYS> *kept, const struct work &w, const struct head &head,
                            size_t query, size_t key)
{
    constexpr unsigned WORDS = KEYS / 32;
    for (unsigned i = threadIdx.x; i < QUERIES * WORDS; i += BLOCK) {
        size_t row = (head.task * w.shape.queries.length + query + i / WORDS) * w.shape.keys.length;
        kept[i / WORDS][i % WORDS] =
            w.mask.threshold ? draw_word(w.mask, row + key + i % WORDS * 32) : 0xffffffff;
    }
}

/* The factor of the tile's element [q,k]. */
template <int KEYS>
static __device__ float factor(const kept_row<KEYS> *kept, const struct mask &mask, unsigned q,
                               unsigned k)
{
    return kept[q][k / 32] >> k % 32 & 1 ? mask.scale : 0;
}

#endif
