/* The Euclidean norm of each row. */
#include "kernels/cpu/cpu.h"

static double squares(const float *x, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

void cpu_euclidean_forward(struct device *d, float *y, const float *x, size_t rows, size_t dim,
                           float at_zero)
{
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++) {
        double sum = squares(x + r * dim, dim);
        y[r] = sum == 0 ? at_zero : (float)sqrt(sum);
    }
}

void cpu_euclidean_backward(struct device *d, float *dx, const float *dy, const float *x,
                            const float *y, size_t rows, size_t dim, bool add)
{
    if (!dx)
        return;
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < rows; r++) {
        float share = y[r] == 0 ? 0 : dy[r] / y[r];
#pragma omp simd
        for (size_t i = 0; i < dim; i++)
            put(dx + r * dim + i, share * x[r * dim + i], add);
    }
}
