/* Products of batches of matrices, by cuBLAS. */
#include "kernels/cuda/cuda.h"

void cuda_matmul_forward(struct device *d, float *y, const float *a, const float *b,
                         const struct matmul *shape)
{
    struct product p = product_forward(a, b, shape);
    cuda_products(d, &p, 0, y);
}

void cuda_matmul_backward(struct device *d, float *da, float *db, const float *dy, const float *a,
                          const float *b, const struct matmul *shape, bool add_a, bool add_b)
{
    struct product by_a = product_by_a(dy, b, shape), by_b = product_by_b(dy, a, shape);
    if (da)
        cuda_products(d, &by_a, add_a ? 1 : 0, da);
    if (db)
        cuda_products(d, &by_b, add_b ? 1 : 0, db);
}
