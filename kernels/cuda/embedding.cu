/* Rows of BERT's three tables, added up for each token. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *words, const float *positions,
                               const float *types, const int32_t *word, const int32_t *place,
                               const int32_t *type, size_t rows, size_t dim)
{
    each_row(rows, [=](size_t r) {
        const float *w = words + (size_t)word[r] * dim, *t = types + (size_t)type[r] * dim,
                    *p = positions + (size_t)place[r] * dim;
        each_in_warp(dim, [=](size_t i) { y[r * dim + i] = w[i] + t[i] + p[i]; });
    });
}

void cuda_embedding_forward(struct device *d, float *y, const float *words, const float *positions,
                            const float *types, const int32_t *word, const int32_t *place,
                            const int32_t *type, size_t rows, size_t dim)
{
    launch(d, forward, cuda_blocks(d, rows, WARPS), THREADS, y, words, positions, types, word,
           place, type, rows, dim);
}

/* Adds dy's rows to those of a table. One may come again: the block at whose row it comes first
 * adds them all, in their order, and the others have nothing to do. */
static __global__ void add_rows(float *table, const float *dy, const int32_t *row, size_t rows,
                                size_t dim)
{
    size_t strips = pieces(dim, THREADS), first = blockIdx.x / strips;
    size_t column = blockIdx.x % strips * THREADS + threadIdx.x;
    int32_t own = row[first];
    bool before = false;
    for (size_t r = threadIdx.x; r < first; r += THREADS)
        before |= row[r] == own;
    if (__syncthreads_or(before) || column >= dim)
        return;
    float sum = 0;
    for (size_t r = first; r < rows; r++)
        if (row[r] == own)
            sum += dy[r * dim + column];
    table[(size_t)own * dim + column] += sum;
}

void cuda_embedding_backward(struct device *d, float *dwords, float *dpositions, float *dtypes,
                             const float *dy, const int32_t *word, const int32_t *place,
                             const int32_t *type, size_t rows, size_t dim)
{
    float *const tables[] = {dwords, dpositions, dtypes};
    const int32_t *const row[] = {word, place, type};
    for (int i = 0; i < 3; i++)
        if (tables[i])
            launch(d, add_rows, rows * pieces(dim, THREADS), THREADS, tables[i], dy, row[i], rows,
                   dim);
}
