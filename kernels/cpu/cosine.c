/* Cosine similarity of rows. */
#include "kernels/cpu/cpu.h"

static const double least_norm = 1e-12;

/* What a pair of rows has in common. */
struct pair {
    double cosine, norm_a, norm_b; /* norms as they are used: not below the least */
    bool grows_a, grows_b;         /* do the norms follow their rows? */
};

static struct pair pair_of(const float *a, const float *b, size_t dim)
{
    double ab = 0, aa = 0, bb = 0;
#pragma omp simd reduction(+ : ab, aa, bb)
    for (size_t i = 0; i < dim; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    struct pair p = {.norm_a = sqrt(aa), .norm_b = sqrt(bb)};
    p.grows_a = !(p.norm_a < least_norm);
    p.grows_b = !(p.norm_b < least_norm);
    p.norm_a = p.grows_a ? p.norm_a : least_norm;
    p.norm_b = p.grows_b ? p.norm_b : least_norm;
    p.cosine = ab / (p.norm_a * p.norm_b);
    return p;
}

void cpu_cosine_forward(struct device *d, float *c, const float *a, const float *b, size_t rows,
                        size_t dim, size_t total, size_t at)
{
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++)
        c[r * total + at] = (float)pair_of(a + r * dim, b + r * dim, dim).cosine;
}

/* da = by_b b + by_a a */
static void row_backward(float *da, const float *a, const float *b, float by_a, float by_b,
                         size_t dim, bool add)
{
#pragma omp simd
    for (size_t i = 0; i < dim; i++)
        put(da + i, by_b * b[i] + by_a * a[i], add);
}

void cpu_cosine_backward(struct device *d, float *da, float *db, const float *dc, const float *a,
                         const float *b, size_t rows, size_t dim, size_t total, size_t at,
                         bool add_a, bool add_b)
{
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++) {
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
    }
}
