#include "kernels/cpu/tile.h"
#include <string.h>

/* --- packing */

static void pack_rows(float *panel, struct operand b, size_t k, size_t at, size_t columns)
{
    size_t last = (columns - 1) / VECTOR_LANES * VECTOR_LANES;
    for (size_t i = 0; i < k; i++) {
        const float *from = b.x + i * b.row + at;
        vector rest = vector_load_first(from + last, columns - last);
        memcpy(panel + i * TILE_COLUMNS + last, &rest, sizeof rest);
        if (last)
            memcpy(panel + i * TILE_COLUMNS, from, sizeof rest);
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
        memcpy(panel + i * TILE_COLUMNS, rows + i, sizeof *rows);
}

/* Four by four where there are so many. */
static void pack_columns(float *panel, struct operand b, size_t k, size_t at, size_t columns)
{
    const float *from = b.x + at * b.column;
    size_t fours = columns / 4 * 4, deep = k / 4 * 4;
    memset(panel, 0, columns < TILE_COLUMNS ? k * TILE_COLUMNS * sizeof *panel : 0);
    for (size_t i = 0; i < deep; i += 4)
        for (size_t j = 0; j < fours; j += 4)
            turn_four(panel + i * TILE_COLUMNS + j, from + i + j * b.column, b.column);
    for (size_t j = 0; j < columns; j++)
        for (size_t i = j < fours ? deep : 0; i < k; i++)
            panel[i * TILE_COLUMNS + j] = from[i + j * b.column];
}

void cpu_pack_panel(float *panel, struct operand b, size_t k, size_t at, size_t columns)
{
    if (b.column == 1)
        pack_rows(panel, b, k, at, columns);
    else
        pack_columns(panel, b, k, at, columns);
}

/* --- products of tiles */

/* c[rows,columns] = alpha a[rows,k] (the panel, whose rows are `stride` apart) + beta c, of at most
 * TILE_ROWS rows and TILE_COLUMNS columns */
struct tile {
    struct operand a;
    const float *panel;
    size_t rows, columns, k, stride;
    float alpha, beta;
    float *c;
    size_t ldc;
};

static inline vector add_product(vector sum, vector a, vector b, bool pairs)
{
#if VECTOR_LANES == 16
    if (pairs)
        return vector_add_pairs(sum, a, b);
#endif
    (void)pairs;
    return vector_add_product(sum, a, b);
}

static inline void store_tile(const struct tile *t, vector sums[TILE_ROWS][TILE_VECTORS],
                              size_t vectors)
{
    for (size_t r = 0; r < TILE_ROWS; r++)
        for (size_t v = 0; r < t->rows && v < vectors; v++) {
            float *to = t->c + r * t->ldc + v * VECTOR_LANES;
            size_t count = least(VECTOR_LANES, t->columns - v * VECTOR_LANES);
            vector y = t->alpha * sums[r][v];
            if (t->beta != 0)
                y += t->beta * vector_load_first(to, count);
            vector_store_first(to, y, count);
        }
}

/* Rows that there are not are summed as the first is, and not stored. */
static inline __attribute__((always_inline)) void multiply(const struct tile *t, size_t vectors,
                                                           bool pairs)
{
    vector sums[TILE_ROWS][TILE_VECTORS] = {0};
    const float *rows[TILE_ROWS], *panel = t->panel;
    for (size_t r = 0; r < TILE_ROWS; r++)
        rows[r] = t->a.x + (r < t->rows ? r : 0) * t->a.row;
    size_t column = t->a.column, stride = t->stride, k = t->k;
    for (size_t i = 0; i < k; i++) {
        vector b[TILE_VECTORS];
        for (size_t v = 0; v < vectors; v++)
            b[v] = vector_load(panel + i * stride + v * VECTOR_LANES);
        for (size_t r = 0; r < TILE_ROWS; r++)
            for (size_t v = 0; v < vectors; v++)
                sums[r][v] = add_product(sums[r][v], vector_all(rows[r][i * column]), b[v], pairs);
    }
    store_tile(t, sums, vectors);
}

/* By themselves: inlined, their addresses would be kept out of registers. */
static __attribute__((noinline)) void multiply_wide(const struct tile *t)
{
    multiply(t, TILE_VECTORS, false);
}

static __attribute__((noinline)) void multiply_narrow(const struct tile *t)
{
    multiply(t, 1, false);
}

static __attribute__((noinline)) void multiply_wide_pairs(const struct tile *t)
{
    multiply(t, TILE_VECTORS, TILE_PAIRS);
}

static __attribute__((noinline)) void multiply_narrow_pairs(const struct tile *t)
{
    multiply(t, 1, TILE_PAIRS);
}

static void multiply_rows(const struct tile *panel, size_t m, bool pairs)
{
    void (*const tiles[2][2])(const struct tile *t) = {
        {multiply_narrow, multiply_wide}, {multiply_narrow_pairs, multiply_wide_pairs}};
    void (*multiply_tile)(const struct tile *t) = tiles[pairs][panel->columns > VECTOR_LANES];
    struct tile t = *panel;
    for (size_t row = 0; row < m; row += TILE_ROWS) {
        t.a.x = panel->a.x + row * panel->a.row;
        t.rows = least(TILE_ROWS, m - row);
        t.c = panel->c + row * panel->ldc;
        multiply_tile(&t);
    }
}

void cpu_multiply_panel(struct operand a, size_t m, const float *panel, size_t stride, size_t k,
                        float alpha, float beta, float *c, size_t ldc, size_t columns)
{
    const struct tile t = {a, panel, TILE_ROWS, columns, k, stride, alpha, beta, c, ldc};
    multiply_rows(&t, m, false);
}

void cpu_pack(struct panels *panels, struct operand b, size_t depth, size_t n)
{
    panels->depth = depth;
    for (size_t at = 0; at < n; at += TILE_COLUMNS)
        cpu_pack_panel(panels->x + at * depth, b, depth, at, least(TILE_COLUMNS, n - at));
}

void cpu_multiply_packed(struct operand a, const struct panels *b, size_t m, size_t n, size_t k,
                         float alpha, float beta, float *c, size_t ldc)
{
    for (size_t at = 0; at < n; at += TILE_COLUMNS) {
        const struct tile t = {a,         b->x + at * b->depth,
                               TILE_ROWS, least(TILE_COLUMNS, n - at),
                               k,         TILE_COLUMNS,
                               alpha,     beta,
                               c + at,    ldc};
        multiply_rows(&t, m, b->pairs);
    }
}
