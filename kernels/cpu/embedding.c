/* Rows of BERT's three tables, added up for each token. */
#include "kernels/cpu/cpu.h"

void cpu_embedding_forward(struct device *d, float *y, const float *words, const float *positions,
                           const float *types, const int32_t *word, const int32_t *place,
                           const int32_t *type, size_t rows, size_t dim)
{
    int threads = workers(d, rows * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++) {
        const float *w = words + (size_t)word[r] * dim, *t = types + (size_t)type[r] * dim,
                    *p = positions + (size_t)place[r] * dim;
#pragma omp simd
        for (size_t i = 0; i < dim; i++)
            y[r * dim + i] = w[i] + t[i] + p[i];
    }
}

/* Adds dy's columns `at` to at+n to rows of a table; one may come again, so they go one after the
 * other. */
static void add_rows(float *table, const float *dy, const int32_t *row, size_t rows, size_t dim,
                     size_t at, size_t n)
{
    for (size_t r = 0; table && r < rows; r++) {
        float *to = table + (size_t)row[r] * dim + at;
        for (size_t i = 0; i < n; i++)
            to[i] += dy[r * dim + at + i];
    }
}

void cpu_embedding_backward(struct device *d, float *dwords, float *dpositions, float *dtypes,
                            const float *dy, const int32_t *word, const int32_t *place,
                            const int32_t *type, size_t rows, size_t dim)
{
    int threads = workers(d, rows * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < dim; at += STRIP) {
        size_t n = least(STRIP, dim - at);
        add_rows(dwords, dy, word, rows, dim, at, n);
        add_rows(dpositions, dy, place, rows, dim, at, n);
        add_rows(dtypes, dy, type, rows, dim, at, n);
    }
}
