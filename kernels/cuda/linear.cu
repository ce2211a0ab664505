/* The linear layer: products of cuBLAS, with the bias put in place before them and its gradient
 * summed by ourselves. */
#include "kernels/cuda/sums.h"

static __global__ void repeat(float *y, const float *b, size_t rows, size_t out)
{
    each_row(rows, [=](size_t r) { each_in_warp(out, [=](size_t i) { y[r * out + i] = b[i]; }); });
}

void cuda_linear_forward(struct device *d, float *y, const float *x, const float *w, const float *b,
                         size_t rows, size_t in, size_t out)
{
    if (b)
        launch(d, repeat, cuda_blocks(d, rows, WARPS), THREADS, y, b, rows, out);
    cuda_product(d, 'N', 'T', rows, out, in, x, in, w, in, b ? 1 : 0, y, out);
}

void cuda_linear_backward(struct device *d, float *dx, float *dw, float *db, const float *dy,
                          const float *x, const float *w, size_t rows, size_t in, size_t out,
                          bool add)
{
    if (dx)
        cuda_product(d, 'N', 'N', rows, in, out, dy, out, w, in, add ? 1 : 0, dx, in);
    if (dw)
        cuda_product(d, 'T', 'N', out, in, rows, dy, out, x, in, 1, dw, in);
    if (db)
        add_columns(d, db, rows, out, matrix{dy, out});
}
