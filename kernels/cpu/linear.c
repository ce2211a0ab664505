/* The linear layer: products, with the bias put in place before them and its gradient summed by
 * ourselves. */
#include "kernels/cpu/bf16.h"
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

/* Bytes that begin where a cache line does. */
static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void forward_bf16(struct device *d, float *y, const float *x, const float *w, const float *b,
                         size_t rows, size_t in, size_t out)
{
    const struct bf16_product p = {'N', 'T', rows, out, in, b, false};
    size_t of_x = lines(rows * in * sizeof(uint16_t)), of_w = lines(out * in * sizeof(uint16_t));
    struct bf16_plan plan;
    char *room = cpu_bf16_plan(d, &plan, &p) ? cpu_scratch(d, of_x + of_w + plan.packed) : NULL;
    if (room) {
        uint16_t *rounded_x = (uint16_t *)room, *rounded_w = (uint16_t *)(room + of_x);
        cpu_bf16_round(d, rounded_x, x, rows * in);
        cpu_bf16_round(d, rounded_w, w, out * in);
        cpu_bf16_multiply(d, &plan, &p, rounded_x, rounded_w, y, room + of_x + of_w);
    }
    cpu_bf16_forget(d, &plan);
}

void cpu_linear_forward(struct device *d, float *y, const float *x, const float *w, const float *b,
                        size_t rows, size_t in, size_t out)
{
    if (cpu_in_bf16(d, rows, out, in)) {
        forward_bf16(d, y, x, w, b, rows, in, out);
        return;
    }
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

static void backward_bf16(struct device *d, float *dx, float *dw, const float *dy, const float *x,
                          const float *w, size_t rows, size_t in, size_t out, bool add)
{
    const struct bf16_product by_x = {'N', 'N', rows, in, out, NULL, add},
                              by_w = {'T', 'N', out, in, rows, NULL, true};
    size_t of_dy = lines(rows * out * sizeof(uint16_t)), of_x = lines(rows * in * sizeof(uint16_t)),
           of_w = lines(out * in * sizeof(uint16_t)), of_factor = of_x > of_w ? of_x : of_w;
    struct bf16_plan plan_x = {.packed = 0}, plan_w = {.packed = 0};
    char *room = NULL;
    if ((!dx || cpu_bf16_plan(d, &plan_x, &by_x)) && (!dw || cpu_bf16_plan(d, &plan_w, &by_w)))
        room = cpu_scratch(d, of_dy + of_factor +
                                  (plan_x.packed > plan_w.packed ? plan_x.packed : plan_w.packed));
    if (room) {
        uint16_t *rounded_dy = (uint16_t *)room, *factor = (uint16_t *)(room + of_dy);
        char *packed = room + of_dy + of_factor;
        cpu_bf16_round(d, rounded_dy, dy, rows * out);
        if (dx) {
            cpu_bf16_round(d, factor, w, out * in);
            cpu_bf16_multiply(d, &plan_x, &by_x, rounded_dy, factor, dx, packed);
        }
        if (dw) {
            cpu_bf16_round(d, factor, x, rows * in);
            cpu_bf16_multiply(d, &plan_w, &by_w, rounded_dy, factor, dw, packed);
        }
    }
    cpu_bf16_forget(d, &plan_x);
    cpu_bf16_forget(d, &plan_w);
}

static void backward_f32(struct device *d, float *dx, float *dw, const float *dy, const float *x,
                         const float *w, size_t rows, size_t in, size_t out, bool add)
{
    if (dx)
        cpu_product(d, 'N', 'N', rows, in, out, 1, dy, out, w, in, add ? 1 : 0, dx, in);
    if (dw)
        cpu_product(d, 'T', 'N', out, in, rows, 1, dy, out, x, in, 1, dw, in);
}

void cpu_linear_backward(struct device *d, float *dx, float *dw, float *db, const float *dy,
                         const float *x, const float *w, size_t rows, size_t in, size_t out,
                         bool add)
{
    if (cpu_in_bf16(d, rows, out, in))
        backward_bf16(d, dx, dw, dy, x, w, rows, in, out, add);
    else
        backward_f32(d, dx, dw, dy, x, w, rows, in, out, add);
    if (db)
        bias_backward(d, db, dy, rows, out);
}
