/* Cosine similarity of rows, a warp to a pair. */
#include "kernels/cuda/cuda.h"

/* What a pair of rows has in common. */
struct pair {
    double cosine, norm_a, norm_b; /* norms as they are used: not below the least */
    bool grows_a, grows_b;         /* do the norms follow their rows? */
};

static __device__ struct pair pair_of(const float *a, const float *b, size_t dim)
{
    const double least_norm = 1e-12;
    double ab = 0, aa = 0, bb = 0;
    each_in_warp(dim, [&](size_t i) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    });
    struct pair p = {0, sqrt(warp_sum(aa)), sqrt(warp_sum(bb)), false, false};
    p.grows_a = !(p.norm_a < least_norm);
    p.grows_b = !(p.norm_b < least_norm);
    p.norm_a = p.grows_a ? p.norm_a : least_norm;
    p.norm_b = p.grows_b ? p.norm_b : least_norm;
    p.cosine = warp_sum(ab) / (p.norm_a * p.norm_b);
    return p;
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
        double g = dc[r * total + at];
        float other = (float)(g / (p.norm_a * p.norm_b));
        float own_a = p.grows_a ? (float)(-g * p.cosine / (p.norm_a * p.norm_a)) : 0;
        float own_b = p.grows_b ? (float)(-g * p.cosine / (p.norm_b * p.norm_b)) : 0;
        if (da)
            row_backward(da + r * dim, ra, rb, own_a, other, dim, add_a);
        if (db)
            row_backward(db + r * dim, rb, ra, own_b, other, dim, add_b);
    });
}

void cuda_cosine_backward(struct device *d, float *da, float *db, const float *dc, const float *a,
                          const float *b, size_t rows, size_t dim, size_t total, size_t at,
                          bool add_a, bool add_b)
{
    launch(d, backward, cuda_blocks(d, rows, WARPS), THREADS, da, db, dc, a, b, rows, dim, total,
           at, add_a, add_b);
}
