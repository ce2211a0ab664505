/* Softmax over each row. */
#include "kernels/cpu/cpu.h"

static float row_most(const float *x, size_t n)
{
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static void row_forward(float *y, const float *x, size_t n)
{
    float most = row_most(x, n), sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        y[i] = expf(x[i] - most);
        sum += y[i];
    }
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] /= sum;
}

void cpu_softmax_forward(struct device *d, float *y, const float *x, size_t rows, size_t dim)
{
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++)
        row_forward(y + r * dim, x + r * dim, dim);
}

static void row_backward(float *dx, const float *dy, const float *y, size_t n, bool add)
{
    float mean = 0;
#pragma omp simd reduction(+ : mean)
    for (size_t i = 0; i < n; i++)
        mean += dy[i] * y[i];
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        put(dx + i, y[i] * (dy[i] - mean), add);
}

void cpu_softmax_backward(struct device *d, float *dx, const float *dy, const float *y, size_t rows,
                          size_t dim, bool add)
{
    if (!dx)
        return;
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++)
        row_backward(dx + r * dim, dy + r * dim, y + r * dim, dim, add);
}
