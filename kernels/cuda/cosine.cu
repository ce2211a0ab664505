/* Cosine similarity of rows, a warp to a pair. */
#include "kernels/cuda/cuda.h"

static __device__ struct pair pair_of(const float *a, const float *b, size_t dim)
{
    double ab = 0, aa = 0, bb = 0;
    each_in_warp(dim, [&](size_t i) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    });
    return pair_of_products(warp_sum(ab), warp_sum(aa), warp_sum(bb));
}

static __global__ void forward(float *c, const float *a, const float *b, size_t rows, size_t dim,
                               size_t total, size_t at)
{
    each_row(rows, [=](size_t r) {
        double cosine = pair_of(a + r * dim, b + r * dim, dim).cosine;
        if (lane() == 0)
            c[r * total + at] = (float)cosine;
    });
}

void cuda_cosine_forward(struct device *d, float *c, const float *a, const float *b, size_t rows,
                         size_t dim, size_t total, size_t at)
{
    launch(d, forward, cuda_blocks(d, rows, WARPS), THREADS, c, a, b, rows, dim, total, at);
}

/* da = by_b b + by_a a */
static __device__ void row_backward(float *da, const float *a, const float *b, float by_a,
                                    float by_b, size_t dim, bool add)
{
    each_in_warp(dim, [=](size_t i) { put(da + i, by_b * b[i] + by_a * a[i], add); });
}

static __global__ void backward(float *da, float *db, const float *dc, const float *a,
                                const float *b, size_t rows, size_t dim, size_t total, size_t at,
                                bool add_a, bool add_b)
{
    each_row(rows, [=](size_t r) {
        const float *ra = a + r * dim, *rb = b + r * dim;
        struct pair p = pair_of(ra, rb, dim);
        struct pair_slopes s = pair_slopes_of(&p, dc[r * total + at]);
        if (da)
            row_backward(da + r * dim, ra, rb, s.by_a, s.by_other, dim, add_a);
        if (db)
            row_backward(db + r * dim, rb, ra, s.by_b, s.by_other, dim, add_b);
    });
}

void cuda_cosine_backward(struct device *d, float *da, float *db, const float *dc, const float *a,
                          const float *b, size_t rows, size_t dim, size_t total, size_t at,
                          bool add_a, bool add_b)
{
    launch(d, backward, cuda_blocks(d, rows, WARPS), THREADS, da, db, dc, a, b, rows, dim, total,
           at, add_a, add_b);
}
