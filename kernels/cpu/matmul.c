/* Products of batches of matrices. */
#include "kernels/cpu/cpu.h"
#include "kernels/products.h"

static void multiply_one(const struct device *d, const struct product *p, size_t i, float beta,
                         float *c)
{
    cpu_product(d, p->op_left, p->op_right, p->m, p->n, p->k, 1, p->left + i * p->m * p->k,
                left_row(p), p->right + i * p->k * p->n, right_row(p), beta, c + i * p->m * p->n,
                p->n);
}

/* Each by one thread, so that how many there are does not matter; but a single one by all. */
static void multiply(const struct device *d, const struct product *p, bool add, float *c)
{
    if (p->batch == 1) {
        multiply_one(d, p, 0, add ? 1 : 0, c);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(d->threads)
    for (size_t i = 0; i < p->batch; i++)
        multiply_one(d, p, i, add ? 1 : 0, c);
}

void cpu_matmul_forward(struct device *d, float *y, const float *a, const float *b,
                        const struct matmul *shape)
{
    struct product p = product_forward(a, b, shape);
    multiply(d, &p, false, y);
}

void cpu_matmul_backward(struct device *d, float *da, float *db, const float *dy, const float *a,
                         const float *b, const struct matmul *shape, bool add_a, bool add_b)
{
    struct product by_a = product_by_a(dy, b, shape), by_b = product_by_b(dy, a, shape);
    if (da)
        multiply(d, &by_a, add_a, da);
    if (db)
        multiply(d, &by_b, add_b, db);
}
