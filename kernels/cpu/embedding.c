/* Rows of BERT's three tables, added up for each token. */
#include "kernels/cpu/cpu.h"

void cpu_embedding_forward(struct device *d, float *y, const float *words, const float *positions,
                           const float *types, const int32_t *word, const int32_t *type,
                           size_t batch, size_t length, size_t dim)
{
    int threads = workers(d, batch * length * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < batch * length; r++) {
        const float *w = words + (size_t)word[r] * dim, *t = types + (size_t)type[r] * dim,
                    *p = positions + r % length * dim;
#pragma omp simd
        for (size_t i = 0; i < dim; i++)
            y[r * dim + i] = w[i] + t[i] + p[i];
    }
}

/* Columns `at` to at+n of all gradients: a token may come again, so rows go one after the other. */
static void columns_backward(float *dwords, float *dpositions, float *dtypes, const float *dy,
                             const int32_t *word, const int32_t *type, size_t rows, size_t length,
                             size_t dim, size_t at, size_t n)
{
    for (size_t r = 0; r < rows; r++) {
        const float *from = dy + r * dim + at;
        float *to[] = {dwords ? dwords + (size_t)word[r] * dim : NULL,
                       dpositions ? dpositions + r % length * dim : NULL,
                       dtypes ? dtypes + (size_t)type[r] * dim : NULL};
        for (int table = 0; table < 3; table++)
            for (size_t i = 0; to[table] && i < n; i++)
                to[table][at + i] += from[i];
    }
}

void cpu_embedding_backward(struct device *d, float *dwords, float *dpositions, float *dtypes,
                            const float *dy, const int32_t *word, const int32_t *type, size_t batch,
                            size_t length, size_t dim)
{
    int threads = workers(d, batch * length * dim / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < dim; at += STRIP)
        columns_backward(dwords, dpositions, dtypes, dy, word, type, batch * length, length, dim,
                         at, least(STRIP, dim - at));
}
