/* Matrix products: our own where they are small, else oneDNN's, which is opened for the first of
 * those: that alone takes longer than all that a small network computes. The shape decides, so that
 * bytes do not depend on what was computed before. A sum of our own is over k in order, whatever
 * tile it is in. */
#include "kernels/cpu/tile.h"
#include <dlfcn.h>
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

/* --- our own */

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

/* --- oneDNN's */

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

typedef __typeof__(dnnl_sgemm) sgemm;

/* NULL: the device has failed. */
static sgemm *open_sgemm(struct cpu *cpu)
{
    void *library = dlopen("libdnnl.so." TEXT(DNNL_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);
    sgemm *found = library ? (sgemm *)dlsym(library, "dnnl_sgemm") : NULL;
    if (!found) {
        snprintf(cpu->failure, sizeof cpu->failure, "oneDNN cannot be opened: %s", dlerror());
        cpu_fail(&cpu->device, cpu->failure);
    }
    return found;
}

/* The first threads that need it may come at the same time. */
static sgemm *sgemm_of(struct cpu *cpu)
{
    void (*found)(void) = __atomic_load_n(&cpu->sgemm, __ATOMIC_ACQUIRE);
    if (!found) {
#pragma omp critical(onednn)
        if (!cpu->sgemm && !__atomic_load_n(&cpu->device.failed, __ATOMIC_RELAXED))
            __atomic_store_n(&cpu->sgemm, (void (*)(void))open_sgemm(cpu), __ATOMIC_RELEASE);
        found = cpu->sgemm;
    }
    return (sgemm *)found;
}

void cpu_product(const struct device *d, char op_a, char op_b, size_t m, size_t n, size_t k,
                 float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta,
                 float *c, size_t ldc)
{
    if (cpu_product_is_small(m, n, k)) {
        small_product(operand(op_a, a, lda), operand(op_b, b, ldb), m, n, k, alpha, beta, c, ldc);
        return;
    }
    sgemm *multiply_large = sgemm_of(d->state);
    if (!multiply_large)
        return;
    if (!omp_in_parallel())
        omp_set_num_threads(d->threads);
    dnnl_status_t status =
        multiply_large(op_a, op_b, (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, alpha, a,
                       (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc);
    if (status != dnnl_success)
        cpu_fail(d,
                 status == dnnl_out_of_memory ? cpu_no_memory : "dnnl_sgemm refused its arguments");
}
