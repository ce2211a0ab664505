/* The linear layer: products of cuBLAS, the bias on their way out, and its gradient summed by
 * ourselves. */
#include "kernels/cuda/sums.h"

void cuda_linear_forward(struct device *d, float *y, const float *x, const float *w, const float *b,
                         size_t rows, size_t in, size_t out)
{
    cuda_product(d, 'N', 'T', rows, out, in, x, in, w, in, b, 0, y, out);
}

void cuda_linear_backward(struct device *d, float *dx, float *dw, float *db, const float *dy,
                          const float *x, const float *w, size_t rows, size_t in, size_t out,
                          bool add)
{
    if (dx)
        cuda_product(d, 'N', 'N', rows, in, out, dy, out, w, in, NULL, add ? 1 : 0, dx, in);
    if (dw)
        cuda_product(d, 'T', 'N', out, in, rows, dy, out, x, in, NULL, 1, dw, in);
    if (db)
        add_columns(d, db, rows, out, matrix{dy, out});
}
