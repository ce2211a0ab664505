/* Arithmetic of two arrays, of which the second may be repeated over the first.
 *
 * Work is cut into the rows of a, or, where these do not matter, into pieces of CHUNK elements. */
#include "kernels/arithmetic.h"
#include "kernels/cpu/cpu.h"

static size_t count_of(const struct arithmetic *s)
{
    return s->rows * s->cols;
}

static size_t width_of(const struct arithmetic *s)
{
    return s->b == BROADCAST_ROW || s->b == BROADCAST_COLUMN ? s->cols : CHUNK;
}

static size_t pieces_of(const struct arithmetic *s)
{
    return (count_of(s) + width_of(s) - 1) / width_of(s);
}

/* Elements `at` to at+count of a; b's from `beside` on, or, where it is the same for all of them,
 * that one. */
struct piece {
    size_t at, count, beside;
    bool same;
};

static struct piece piece_of(const struct arithmetic *s, size_t i)
{
    size_t width = width_of(s), at = i * width;
    struct piece p = {at, least(width, count_of(s) - at), 0,
                      s->b == BROADCAST_COLUMN || s->b == BROADCAST_NUMBER};
    if (s->b == BROADCAST_NONE)
        p.beside = at;
    if (s->b == BROADCAST_COLUMN)
        p.beside = i;
    return p;
}

/* y[n] of a piece; b stands still where step is 0, and goes along where it is 1 */
static inline void values(float *y, const float *a, const float *b, size_t step, size_t n,
                          enum operation kind, float eps)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = arithmetic_of(a[i], b[i * step], kind, eps);
}

void cpu_arithmetic_forward(struct device *d, float *y, const float *a, const float *b,
                            const struct arithmetic *shape)
{
    int threads = workers(d, count_of(shape) / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < pieces_of(shape); i++) {
        struct piece p = piece_of(shape, i);
        if (p.same)
            values(y + p.at, a + p.at, b + p.beside, 0, p.count, shape->kind, shape->eps);
        else
            values(y + p.at, a + p.at, b + p.beside, 1, p.count, shape->kind, shape->eps);
    }
}

static inline void slopes_by_a(float *da, const float *dy, const float *b, size_t step, size_t n,
                               enum operation kind, float eps, bool add)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        put(da + i, arithmetic_by_a(dy[i], b[i * step], kind, eps), add);
}

static void by_a(float *da, const float *dy, const float *b, const struct arithmetic *shape,
                 bool add, int threads)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < pieces_of(shape); i++) {
        struct piece p = piece_of(shape, i);
        if (p.same)
            slopes_by_a(da + p.at, dy + p.at, b + p.beside, 0, p.count, shape->kind, shape->eps,
                        add);
        else
            slopes_by_a(da + p.at, dy + p.at, b + p.beside, 1, p.count, shape->kind, shape->eps,
                        add);
    }
}

/* --- the gradient by b */

static void by_each(float *db, const float *dy, const float *a, const float *b,
                    const struct arithmetic *shape, bool add, int threads)
{
    enum operation kind = shape->kind;
    float eps = shape->eps;
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < count_of(shape); i++)
        put(db + i, arithmetic_by_b(dy[i], a[i], b[i], kind, eps), add);
}

/* One row, whose sums are made in two levels, for precision. */
static void by_row(float *db, const float *dy, const float *a, const float *b,
                   const struct arithmetic *shape, bool add, int threads)
{
    enum { ROWS = 64 };
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < shape->cols; at += STRIP) {
        float total[STRIP] = {0};
        size_t width = least(STRIP, shape->cols - at);
        for (size_t from = 0; from < shape->rows; from += ROWS) {
            float part[STRIP] = {0};
            for (size_t r = from; r < least(shape->rows, from + ROWS); r++) {
                const float *slope = dy + r * shape->cols + at, *row = a + r * shape->cols + at;
#pragma omp simd
                for (size_t j = 0; j < width; j++)
                    part[j] +=
                        arithmetic_by_b(slope[j], row[j], b[at + j], shape->kind, shape->eps);
            }
            for (size_t j = 0; j < width; j++)
                total[j] += part[j];
        }
        for (size_t j = 0; j < width; j++)
            put(db + at + j, total[j], add);
    }
}

/* sums[piece]; b is the same for all of a piece */
static void by_piece(float *sums, const float *dy, const float *a, const float *b,
                     const struct arithmetic *shape, bool add, int threads)
{
    enum operation kind = shape->kind;
    float eps = shape->eps;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < pieces_of(shape); i++) {
        struct piece p = piece_of(shape, i);
        float sum = 0, same = b[p.beside];
#pragma omp simd reduction(+ : sum)
        for (size_t j = p.at; j < p.at + p.count; j++)
            sum += arithmetic_by_b(dy[j], a[j], same, kind, eps);
        put(sums + i, sum, add);
    }
}

static void by_number(struct device *d, float *db, const float *dy, const float *a, const float *b,
                      const struct arithmetic *shape, bool add, int threads)
{
    float *sums = cpu_scratch(d, pieces_of(shape) * sizeof *sums);
    double total = 0;
    if (!sums)
        return;
    by_piece(sums, dy, a, b, shape, false, threads);
    for (size_t i = 0; i < pieces_of(shape); i++)
        total += (double)sums[i];
    put(db, (float)total, add);
}

void cpu_arithmetic_backward(struct device *d, float *da, float *db, const float *dy,
                             const float *a, const float *b, const struct arithmetic *shape,
                             bool add_a, bool add_b)
{
    int threads = workers(d, count_of(shape) / 4);
    if (da)
        by_a(da, dy, b, shape, add_a, threads);
    if (!db)
        return;
    switch (shape->b) {
    case BROADCAST_NONE:
        by_each(db, dy, a, b, shape, add_b, threads);
        break;
    case BROADCAST_ROW:
        by_row(db, dy, a, b, shape, add_b, threads);
        break;
    case BROADCAST_COLUMN:
        by_piece(db, dy, a, b, shape, add_b, threads);
        break;
    case BROADCAST_NUMBER:
        by_number(d, db, dy, a, b, shape, add_b, threads);
        break;
    }
}
