/* The linear layer: products, with the bias put in place before them and its gradient summed by
 * ourselves. */
#include "kernels/cpu/cpu.h"
#include <string.h>

/* Rows that one thread takes at a time: the bias it has written is still in its cache when the
 * product adds to it. */
enum { ROWS = 128 };

static void rows_forward(const struct device *d, float *y, const float *x, const float *w,
                         const float *b, size_t rows, size_t in, size_t out)
{
    for (size_t r = 0; b && r < rows; r++)
        memcpy(y + r * out, b, out * sizeof *y);
    cpu_product(d, 'N', 'T', rows, out, in, 1, x, in, w, in, b ? 1 : 0, y, out);
}

void cpu_linear_forward(struct device *d, float *y, const float *x, const float *w, const float *b,
                        size_t rows, size_t in, size_t out)
{
    bool small = cpu_product_is_small(least(rows, ROWS), out, in);
    int threads = small ? workers(d, rows * in * out / 32) : d->threads;
    if (!small && rows < ROWS * (size_t)d->threads) {
        rows_forward(d, y, x, w, b, rows, in, out);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < rows; at += ROWS)
        rows_forward(d, y + at * out, x + at * in, w, b, least(ROWS, rows - at), in, out);
}

static void bias_backward(const struct device *d, float *db, const float *dy, size_t rows,
                          size_t out)
{
    int threads = workers(d, rows * out / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < out; at += STRIP) {
        float sums[STRIP];
        size_t width = least(STRIP, out - at);
        sum_columns(sums, dy + at, rows, out, width);
        for (size_t j = 0; j < width; j++)
            db[at + j] += sums[j];
    }
}

void cpu_linear_backward(struct device *d, float *dx, float *dw, float *db, const float *dy,
                         const float *x, const float *w, size_t rows, size_t in, size_t out,
                         bool add)
{
    if (dx)
        cpu_product(d, 'N', 'N', rows, in, out, 1, dy, out, w, in, add ? 1 : 0, dx, in);
    if (dw)
        cpu_product(d, 'T', 'N', out, in, rows, 1, dy, out, x, in, 1, dw, in);
    if (db)
        bias_backward(d, db, dy, rows, out);
}
