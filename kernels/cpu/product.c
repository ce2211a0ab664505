/* Matrix products: our own where they are small, else oneDNN's, which is opened for the first of
 * those: that alone takes longer than all that a small network computes. The shape decides, so that
 * bytes do not depend on what was computed before. A sum of our own is over k in order, whatever
 * tile it is in. */
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/tile.h"
#include <omp.h>

enum {
    SMALL = 64 * 64 * 64, /* m n k of the largest */
    DEPTH = 512           /* its k at most: a panel has place on a small stack */
};

bool cpu_product_is_small(size_t m, size_t n, size_t k)
{
    return m <= SMALL && n <= SMALL && k <= DEPTH && m * n <= SMALL && m * n * k <= SMALL;
}

static void small_product(struct operand a, struct operand b, size_t m, size_t n, size_t k,
                          float alpha, float beta, float *c, size_t ldc)
{
    _Alignas(64) float packed[DEPTH * TILE_COLUMNS];
    for (size_t at = 0; at < n; at += TILE_COLUMNS) {
        size_t columns = least(TILE_COLUMNS, n - at), stride = b.row;
        const float *panel = b.x + at;
        if (columns % VECTOR_LANES || b.column != 1) {
            cpu_pack_panel(packed, b, k, at, columns);
            panel = packed, stride = TILE_COLUMNS;
        }
        cpu_multiply_panel(a, m, panel, stride, k, alpha, beta, c + at, ldc, columns);
    }
}

void cpu_product(const struct device *d, char op_a, char op_b, size_t m, size_t n, size_t k,
                 float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta,
                 float *c, size_t ldc)
{
    if (cpu_product_is_small(m, n, k)) {
        small_product(operand(op_a, a, lda), operand(op_b, b, ldb), m, n, k, alpha, beta, c, ldc);
        return;
    }
    const struct onednn *dnnl = cpu_onednn(d);
    if (!dnnl)
        return;
    if (!omp_in_parallel())
        omp_set_num_threads(d->threads);
    dnnl_status_t status =
        dnnl->sgemm(op_a, op_b, (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, alpha, a,
                    (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc);
    cpu_onednn_did(d, status, "sgemm");
}
