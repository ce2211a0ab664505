/* The mean of each sample's rows. */
#include "kernels/cuda/sums.h"

struct rows {
    size_t first, end;
};

static __device__ struct rows rows_of(const int32_t *spans, size_t b, size_t length)
{
    if (!spans)
        return {b * length, (b + 1) * length};
    return {(size_t)spans[2 * b], (size_t)spans[2 * b + 1]};
}

static __global__ void forward(float *y, const float *x, const int32_t *spans, size_t length,
                               size_t dim)
{
    size_t tiles = pieces(dim, TILE), b = blockIdx.x / tiles;
    size_t column = blockIdx.x % tiles * TILE + lane();
    struct rows own = rows_of(spans, b, length);
    float sum = tile_sum(own.first, own.end, column, column < dim,
                         [=](size_t r, size_t i) { return x[r * dim + i]; });
    if (threadIdx.x < WARP && column < dim)
        y[b * dim + column] = sum / (float)(own.end - own.first);
}

void cuda_mean_forward(struct device *d, float *y, const float *x, const int32_t *spans,
                       size_t batch, size_t rows, size_t dim)
{
    if (!batch)
        return;
    launch(d, forward, batch * pieces(dim, TILE), THREADS, y, x, spans, rows / batch, dim);
}

static __global__ void backward(float *dx, const float *dy, const int32_t *spans, size_t length,
                                size_t dim, bool add)
{
    size_t b = blockIdx.x;
    struct rows own = rows_of(spans, b, length);
    float share = 1 / (float)(own.end - own.first);
    for (size_t r = own.first + threadIdx.x / WARP; r < own.end; r += WARPS)
        each_in_warp(dim, [=](size_t i) { put(dx + r * dim + i, dy[b * dim + i] * share, add); });
}

void cuda_mean_backward(struct device *d, float *dx, const float *dy, const int32_t *spans,
                        size_t batch, size_t rows, size_t dim, bool add)
{
    if (!dx || !batch)
        return;
    if (spans && !add)
        cuda_fill(d, dx, 0, rows * dim);
    launch(d, backward, batch, THREADS, dx, dy, spans, rows / batch, dim, add || spans);
}
