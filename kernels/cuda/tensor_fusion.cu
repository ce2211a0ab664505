/* Tensor fusion. Where nothing is dropped, t comes first: its products with the weights of all
 * pairs of some outputs at a time, which are then added up, each by its pair. A mask is on each
 * element; so the columns of many pairs are made in memory, and multiplied as they are. The same in
 * the backward pass, be there a mask or not: that takes two products, where t first would take
 * three. */
#include "kernels/cuda/sums.h"
extern "C" {
#include "kernels/tensor_fusion.h"
}

enum {
    BLOCK = 1 << 22, /* floats of a block, or of products with t: they stay in the GPU's cache */
    SPANS = 4        /* that a warp draws of a sample's row at a time */
};

/* What all kernels here know; all is on the device. */
struct work {
    struct tensor_fusion s;
    struct mask mask;
    size_t pairs, last, columns; /* all: those of a and v, of t, of the weights */
    float *pair;                 /* [pairs,batch] */
    float *t;                    /* [batch,last] */
    float *by_pair, *by_t;       /* gradients, of the same shapes; in the backward pass */
    float *room, *slopes;        /* BLOCK and more each; slopes in the backward pass */
};

/* The columns of `count` pairs from `first` on. */
struct block {
    size_t first, count;
};

static struct work sizes_of(const struct tensor_fusion *s, const struct dropout *drop)
{
    struct work work = {};
    work.s = *s;
    work.mask = mask_of(drop);
    work.pairs = fusion_pairs(s);
    work.last = s->t + 1;
    work.columns = fusion_columns(s);
    return work;
}

/* How many of `all` units of `each` floats, 0 where there are no samples, a block takes. */
static size_t in_block(size_t all, size_t each)
{
    size_t count = BLOCK / (each + 1) + 1;
    return count < all ? count : all;
}

static __global__ void make_pairs(struct work w, const float *a, const float *v)
{
    each_in_grid(w.pairs * w.s.batch, [=](size_t at) {
        size_t b = at % w.s.batch;
        w.pair[at] = fusion_pair(a + b * w.s.a, v + b * w.s.v, &w.s, at / w.s.batch);
    });
}

static __global__ void make_last(struct work w, const float *t)
{
    each_in_grid(w.s.batch * w.last,
                 [=](size_t at) { w.t[at] = fusion_number(t + at / w.last * w.s.t, at % w.last); });
}

/* Takes memory, `room` floats for products or blocks, and fills what does not depend on weights.
 * Returns whether it is there. */
static bool begin(struct device *d, struct work *w, size_t room, bool backward, const float *a,
                  const float *v, const float *t)
{
    size_t pairs = w->pairs * w->s.batch, last = w->s.batch * w->last, times = backward ? 2 : 1;
    float *memory =
        static_cast<float *>(cuda_scratch(d, times * (pairs + last + room) * sizeof *memory));
    if (!memory)
        return false;
    w->room = memory;
    w->pair = w->room + room;
    w->t = w->pair + pairs;
    if (backward) {
        w->slopes = w->t + last;
        w->by_pair = w->slopes + room;
        w->by_t = w->by_pair + pairs;
        cuda_fill(d, w->by_t, 0, last);
    }
    launch(d, make_pairs, cuda_blocks(d, pairs, THREADS), THREADS, *w, a, v);
    launch(d, make_last, cuda_blocks(d, last, THREADS), THREADS, *w, t);
    return true;
}

/* --- blocks */

/* x[batch,columns of the block], where it is wanted, and the mask over the slopes by it, where
 * there are any. */
static __global__ void make_block(struct work w, struct block block, float *x, float *slopes)
{
    size_t columns = block.count * w.last, warps = pieces(columns, SPANS * SPAN);
    for (size_t at = warp_in_grid(); at < w.s.batch * warps; at += warps_in_grid()) {
        size_t b = at / warps;
        each_kept(w.mask, b * w.columns + block.first * w.last, columns, at % warps, warps,
                  [=](size_t i, float factor) {
                      unsigned pair = (unsigned)i / (unsigned)w.last;
                      size_t k = i - (size_t)pair * w.last, to = b * columns + i;
                      if (x)
                          x[to] = factor * (w.pair[(block.first + pair) * w.s.batch + b] *
                                            w.t[b * w.last + k]);
                      if (slopes)
                          slopes[to] *= factor;
                  });
    }
}

static void begin_block(struct device *d, const struct work *w, struct block block, float *x,
                        float *slopes)
{
    size_t warps = pieces(block.count * w->last, SPANS * SPAN);
    launch(d, make_block, cuda_blocks(d, w->s.batch * warps, WARPS), THREADS, *w, block, x, slopes);
}

/* --- forward */

static __global__ void fill_bias(float *y, const float *bias, size_t batch, size_t out)
{
    each_in_grid(batch * out, [=](size_t at) { y[at] = bias[at % out]; });
}

/* The products of t with the pairs' weights of an output. */
struct contracted {
    const float *pair, *products;
    size_t batch;
    __device__ float operator()(size_t pair_of, size_t b) const
    {
        return pair[pair_of * batch + b] * products[pair_of * batch + b];
    }
};

/* y[batch,out] += those of the outputs from `first` on; a block has TILE samples of one. */
static __global__ void add_contracted(struct work w, float *y, size_t first)
{
    size_t tiles = pieces(w.s.batch, TILE), output = blockIdx.x / tiles;
    size_t b = blockIdx.x % tiles * TILE + lane();
    struct contracted values = {w.pair, w.room + output * w.pairs * w.s.batch, w.s.batch};
    float sum = tile_sum(0, w.pairs, b, b < w.s.batch, values);
    if (threadIdx.x < WARP && b < w.s.batch)
        y[b * w.s.out + first + output] += sum;
}

static void contract(struct device *d, const struct work *w, float *y, const float *weights)
{
    size_t each = in_block(w->s.out, w->pairs * w->s.batch);
    for (size_t at = 0; at < w->s.out; at += each) {
        size_t count = at + each < w->s.out ? each : w->s.out - at;
        cuda_product(d, 'N', 'T', count * w->pairs, w->s.batch, w->last, weights + at * w->columns,
                     w->last, w->t, w->last, NULL, 0, w->room, w->s.batch);
        launch(d, add_contracted, count * pieces(w->s.batch, TILE), THREADS, *w, y, at);
    }
}

/* The next block of at most `each` pairs. */
static struct block block_at(const struct work *w, size_t first, size_t each)
{
    return {first, first + each < w->pairs ? each : w->pairs - first};
}

void cuda_tensor_fusion_forward(struct device *d, float *y, const float *a, const float *v,
                                const float *t, const float *weights, const float *bias,
                                const struct tensor_fusion *s, const struct dropout *drop)
{
    struct work w = sizes_of(s, drop);
    bool masked = w.mask.threshold;
    size_t row = s->batch * w.last, each = in_block(w.pairs, row);
    size_t room = masked ? each * row : in_block(s->out, w.pairs * s->batch) * w.pairs * s->batch;
    if (!begin(d, &w, room, false, a, v, t))
        return;
    launch(d, fill_bias, cuda_blocks(d, s->batch * s->out, THREADS), THREADS, y, bias, s->batch,
           s->out);
    if (!masked)
        contract(d, &w, y, weights);
    for (size_t at = 0; masked && at < w.pairs; at += each) {
        struct block block = block_at(&w, at, each);
        size_t columns = block.count * w.last;
        begin_block(d, &w, block, w.room, NULL);
        cuda_product(d, 'N', 'T', s->batch, s->out, columns, w.room, columns, weights + at * w.last,
                     w.columns, NULL, 1, y, s->out);
    }
}

/* --- backward */

/* What the slopes by a block say of its pairs; */
static __global__ void reduce_pairs(struct work w, struct block block)
{
    each_row(block.count * w.s.batch, [=](size_t at) {
        size_t b = at % w.s.batch, pair = at / w.s.batch;
        const float *slopes = w.slopes + (b * block.count + pair) * w.last, *t = w.t + b * w.last;
        float sum = 0;
        each_in_warp(w.last, [&](size_t k) { sum += slopes[k] * t[k]; });
        sum = warp_sum(sum);
        if (lane() == 0)
            w.by_pair[(block.first + pair) * w.s.batch + b] = sum;
    });
}

/* … and of t: a block has TILE numbers of one sample. */
struct slopes_of_t {
    const float *pair, *slopes;
    size_t batch, last;
    __device__ float operator()(size_t pair_of, size_t k) const
    {
        return pair[pair_of * batch] * slopes[pair_of * last + k];
    }
};

static __global__ void reduce_last(struct work w, struct block block)
{
    size_t tiles = pieces(w.last, TILE), b = blockIdx.x / tiles;
    size_t k = blockIdx.x % tiles * TILE + lane();
    struct slopes_of_t values = {w.pair + block.first * w.s.batch + b,
                                 w.slopes + b * block.count * w.last, w.s.batch, w.last};
    float sum = tile_sum(0, block.count, k, k < w.last, values);
    if (threadIdx.x < WARP && k < w.last)
        w.by_t[b * w.last + k] += sum;
}

static __global__ void put_a(struct work w, float *da, const float *v, bool add)
{
    each_in_grid(w.s.batch * w.s.a, [=](size_t at) {
        size_t b = at % w.s.batch, i = at / w.s.batch;
        const float *row = w.by_pair + (i + 1) * (w.s.v + 1) * w.s.batch + b;
        float sum = 0;
        for (size_t j = 0; j <= w.s.v; j++)
            sum += row[j * w.s.batch] * fusion_number(v + b * w.s.v, j);
        put(da + b * w.s.a + i, sum, add);
    });
}

static __global__ void put_v(struct work w, float *dv, const float *a, bool add)
{
    each_in_grid(w.s.batch * w.s.v, [=](size_t at) {
        size_t b = at % w.s.batch, j = at / w.s.batch;
        const float *column = w.by_pair + (j + 1) * w.s.batch + b;
        float sum = 0;
        for (size_t i = 0; i <= w.s.a; i++)
            sum += column[i * (w.s.v + 1) * w.s.batch] * fusion_number(a + b * w.s.a, i);
        put(dv + b * w.s.v + j, sum, add);
    });
}

static __global__ void put_t(struct work w, float *dt, bool add)
{
    each_in_grid(w.s.batch * w.s.t, [=](size_t at) {
        put(dt + at, w.by_t[at / w.s.t * w.last + 1 + at % w.s.t], add);
    });
}

void cuda_tensor_fusion_backward(struct device *d, float *da, float *dv, float *dt, float *dw,
                                 float *dbias, const float *dy, const float *a, const float *v,
                                 const float *t, const float *weights,
                                 const struct tensor_fusion *s, const struct dropout *drop,
                                 bool add_a, bool add_v, bool add_t)
{
    struct work w = sizes_of(s, drop);
    size_t row = s->batch * w.last, each = in_block(w.pairs, row);
    bool inputs = da || dv || dt;
    if (!begin(d, &w, each * row, true, a, v, t))
        return;
    for (size_t at = 0; (inputs || dw) && at < w.pairs; at += each) {
        struct block block = block_at(&w, at, each);
        size_t columns = block.count * w.last;
        if (inputs)
            cuda_product(d, 'N', 'N', s->batch, columns, s->out, dy, s->out, weights + at * w.last,
                         w.columns, NULL, 0, w.slopes, columns);
        begin_block(d, &w, block, dw ? w.room : NULL, inputs ? w.slopes : NULL);
        if (inputs) {
            launch(d, reduce_pairs, cuda_blocks(d, block.count * s->batch, WARPS), THREADS, w,
                   block);
            launch(d, reduce_last, s->batch * pieces(w.last, TILE), THREADS, w, block);
        }
        if (dw)
            cuda_product(d, 'T', 'N', s->out, columns, s->batch, dy, s->out, w.room, columns, NULL,
                         1, dw + at * w.last, w.columns);
    }
    if (da)
        launch(d, put_a, cuda_blocks(d, s->batch * s->a, THREADS), THREADS, w, da, v, add_a);
    if (dv)
        launch(d, put_v, cuda_blocks(d, s->batch * s->v, THREADS), THREADS, w, dv, a, add_v);
    if (dt)
        launch(d, put_t, cuda_blocks(d, s->batch * s->t, THREADS), THREADS, w, dt, add_t);
    if (dbias) /* last, as its sums take the scratch */
        add_columns(d, dbias, s->batch, s->out, matrix{dy, s->out});
}
