/* Products a tile at a time: some rows of a by a panel, so many columns of b that the sums stay in
 * registers. Each sum is over k in order, whatever tile it is in. */
#ifndef MSA_CPU_TILE_H
#define MSA_CPU_TILE_H

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/vector.h"

enum {
    TILE_ROWS = VECTOR_LANES == 16  ? 8
                : VECTOR_LANES == 8 ? 6
                                    : 4,
    TILE_VECTORS = 2,
    TILE_COLUMNS = TILE_VECTORS * VECTOR_LANES,
    TILE_PAIRS = VECTOR_LANES == 16 /* are there products of pairs? */
};

/* A matrix as a product reads it: element i, j is x[i row + j column]; one of the two is 1. */
struct operand {
    const float *x;
    size_t row, column;
};

static inline struct operand operand(char op, const float *x, size_t stride)
{
    return op == 'T' ? (struct operand){x, 1, stride} : (struct operand){x, stride, 1};
}

/* panel[k,TILE_COLUMNS] = so many columns of b[k,n], from `at` on; where a vector has others too,
 * they are 0 */
void cpu_pack_panel(float *panel, struct operand b, size_t k, size_t at, size_t columns);

/* c[m,columns] = alpha a[m,k] (the panel, whose rows are `stride` apart) + beta c, of at most
 * TILE_COLUMNS columns */
void cpu_multiply_panel(struct operand a, size_t m, const float *panel, size_t stride, size_t k,
                        float alpha, float beta, float *c, size_t ldc, size_t columns);

/* A whole matrix b[depth,n] in panels, one behind the other, for products that read it often. */
struct panels {
    float *x; /* [panels_size()] */
    size_t depth;
    bool pairs; /* a's and b's numbers are words of two in bfloat16 (TILE_PAIRS), and so is k's unit
                 */
};

static inline size_t panels_size(size_t depth, size_t n)
{
    return depth * ((n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS);
}

/* Puts it where panels->x is. */
void cpu_pack(struct panels *panels, struct operand b, size_t depth, size_t n);

/* c[m,n] = alpha a[m,k] b[k,n] + beta c, of b's first k rows and n columns */
void cpu_multiply_packed(struct operand a, const struct panels *b, size_t m, size_t n, size_t k,
                         float alpha, float beta, float *c, size_t ldc);

#endif
