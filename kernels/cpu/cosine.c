/* Cosine similarity of rows. */
#include "kernels/cpu/cpu.h"
#include "kernels/losses.h"

static struct pair pair_of(const float *a, const float *b, size_t dim)
{
    double ab = 0, aa = 0, bb = 0;
#pragma omp simd reduction(+ : ab, aa, bb)
    for (size_t i = 0; i < dim; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return pair_of_products(ab, aa, bb);
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
        struct pair_slopes s = pair_slopes_of(&p, dc[r * total + at]);
        if (da)
            row_backward(da + r * dim, ra, rb, s.by_a, s.by_other, dim, add_a);
        if (db)
            row_backward(db + r * dim, rb, ra, s.by_b, s.by_other, dim, add_b);
    }
}
