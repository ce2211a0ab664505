/* Matrix products: our own where they are small, else oneDNN's, which is opened for the first of
 * those: that alone takes longer than all that a small network computes. The shape decides, so that
 * bytes do not depend on what was computed before. A sum of our own is over k in order, whatever
 * tile it is in. */
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vector.h"
#include <dlfcn.h>
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

/* --- our own */

enum {
    SMALL = 64 * 64 * 64, /* m n k of the largest */
    DEPTH = 512,          /* its k at most: a panel has place on a small stack */
    ROWS = VECTOR_LANES == 16  ? 8
           : VECTOR_LANES == 8 ? 6
                               : 4,
    VECTORS = 2,
    COLUMNS = VECTORS * VECTOR_LANES
};

bool cpu_product_is_small(size_t m, size_t n, size_t k)
{
    return m <= SMALL && n <= SMALL && k <= DEPTH && m * n <= SMALL && m * n * k <= SMALL;
}

/* A matrix as a product reads it: element i, j is x[i row + j column]. */
struct operand {
    const float *x;
    size_t row, column;
};

static struct operand operand(char op, const float *x, size_t stride)
{
    return op == 'T' ? (struct operand){x, 1, stride} : (struct operand){x, stride, 1};
}

/* The rows of b from `at` on */
static void pack_rows(float *panel, struct operand b, size_t k, size_t at, size_t columns)
{
    size_t last = (columns - 1) / VECTOR_LANES * VECTOR_LANES;
    for (size_t i = 0; i < k; i++) {
        const float *from = b.x + i * b.row + at;
        vector rest = vector_load_first(from + last, columns - last);
        memcpy(panel + i * COLUMNS + last, &rest, sizeof rest);
        if (last)
            memcpy(panel + i * COLUMNS, from, sizeof rest);
    }
}

typedef float four __attribute__((vector_size(16)));

/* Four elements of each of four columns, which are `apart`, become four rows of a panel. */
static void turn_four(float *panel, const float *columns, size_t apart)
{
    four x[4];
    for (size_t j = 0; j < 4; j++)
        memcpy(x + j, columns + j * apart, sizeof *x);
    four low[2] = {__builtin_shufflevector(x[0], x[1], 0, 4, 1, 5),
                   __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5)},
         high[2] = {__builtin_shufflevector(x[0], x[1], 2, 6, 3, 7),
                    __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7)},
         rows[4] = {__builtin_shufflevector(low[0], low[1], 0, 1, 4, 5),
                    __builtin_shufflevector(low[0], low[1], 2, 3, 6, 7),
                    __builtin_shufflevector(high[0], high[1], 0, 1, 4, 5),
                    __builtin_shufflevector(high[0], high[1], 2, 3, 6, 7)};
    for (size_t i = 0; i < 4; i++)
        memcpy(panel + i * COLUMNS, rows + i, sizeof *rows);
}

/* The columns of b from `at` on, four by four where there are so many. */
static void pack_columns(float *panel, struct operand b, size_t k, size_t at, size_t columns)
{
    const float *from = b.x + at * b.column;
    size_t fours = columns / 4 * 4, deep = k / 4 * 4;
    memset(panel, 0, columns < COLUMNS ? k * COLUMNS * sizeof *panel : 0);
    for (size_t i = 0; i < deep; i += 4)
        for (size_t j = 0; j < fours; j += 4)
            turn_four(panel + i * COLUMNS + j, from + i + j * b.column, b.column);
    for (size_t j = 0; j < columns; j++)
        for (size_t i = j < fours ? deep : 0; i < k; i++)
            panel[i * COLUMNS + j] = from[i + j * b.column];
}

/* panel[k,COLUMNS] = so many columns of b, from `at` on; where a vector has others too, they are 0
 */
static void pack(float *panel, struct operand b, size_t k, size_t at, size_t columns)
{
    if (b.column == 1)
        pack_rows(panel, b, k, at, columns);
    else
        pack_columns(panel, b, k, at, columns);
}

/* c[there,columns] = alpha (the rows of a) (the panel, whose rows are `stride` apart) + beta c, of
 * at most ROWS rows and so many vectors of columns */
static inline __attribute__((always_inline)) void
multiply(struct operand a, size_t there, const float *panel, size_t stride, size_t k, float alpha,
         float beta, float *c, size_t ldc, size_t columns, size_t vectors)
{
    vector sums[ROWS][VECTORS] = {0};
    const float *rows[ROWS];
    for (size_t r = 0; r < ROWS; r++)
        rows[r] = a.x + (r < there ? r : 0) * a.row;
    for (size_t i = 0; i < k; i++) {
        vector b[VECTORS];
        for (size_t v = 0; v < vectors; v++)
            b[v] = vector_load(panel + i * stride + v * VECTOR_LANES);
        for (size_t r = 0; r < ROWS; r++)
            for (size_t v = 0; v < vectors; v++)
                sums[r][v] = vector_add_product(sums[r][v], rows[r][i * a.column], b[v]);
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t v = 0; r < there && v < vectors; v++) {
            float *to = c + r * ldc + v * VECTOR_LANES;
            size_t count = least(VECTOR_LANES, columns - v * VECTOR_LANES);
            vector y = alpha * sums[r][v];
            if (beta != 0)
                y += beta * vector_load_first(to, count);
            vector_store_first(to, y, count);
        }
}

static void small_product(struct operand a, struct operand b, size_t m, size_t n, size_t k,
                          float alpha, float beta, float *c, size_t ldc)
{
    _Alignas(64) float packed[DEPTH * COLUMNS];
    for (size_t at = 0; at < n; at += COLUMNS) {
        size_t columns = least(COLUMNS, n - at), stride = b.row;
        const float *panel = b.x + at;
        if (columns % VECTOR_LANES || b.column != 1) {
            pack(packed, b, k, at, columns);
            panel = packed, stride = COLUMNS;
        }
        for (size_t row = 0; row < m; row += ROWS) {
            struct operand rows = {a.x + row * a.row, a.row, a.column};
            size_t there = least(ROWS, m - row);
            float *to = c + row * ldc + at;
            if (columns > VECTOR_LANES)
                multiply(rows, there, panel, stride, k, alpha, beta, to, ldc, columns, 2);
            else
                multiply(rows, there, panel, stride, k, alpha, beta, to, ldc, columns, 1);
        }
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
