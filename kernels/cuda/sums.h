/* Sums of columns, in a fixed order: a block takes TILE columns, each of its warps every WARPSth
 * row; their sums are added up in turn, and then those of blocks with other rows. */
#ifndef MSA_CUDA_SUMS_H
#define MSA_CUDA_SUMS_H

#include "kernels/cuda/cuda.h"

enum { TILE = WARP, CHUNK = 256 /* rows of a block */ };

/* The sum of value(row, column) over the rows from `first` to before `end`, in the first warp; all
 * threads of a block must call it. */
template <class Value>
static __device__ float tile_sum(size_t first, size_t end, size_t column, bool inside, Value value)
{
    __shared__ float sums[WARPS][TILE];
    float sum = 0;
    for (size_t r = first + threadIdx.x / WARP; inside && r < end; r += WARPS)
        sum += value(r, column);
    sums[threadIdx.x / WARP][lane()] = sum;
    __syncthreads();
    for (unsigned i = 1; threadIdx.x < WARP && i < WARPS; i++)
        sum += sums[i][lane()];
    return sum;
}

template <class Value>
static __global__ void sum_chunks(float *parts, size_t rows, size_t columns, Value value)
{
    size_t tiles = pieces(columns, TILE), chunk = blockIdx.x / tiles;
    size_t column = blockIdx.x % tiles * TILE + lane(), first = chunk * CHUNK;
    size_t end = first + CHUNK < rows ? first + CHUNK : rows;
    float sum = tile_sum(first, end, column, column < columns, value);
    if (threadIdx.x < WARP && column < columns)
        parts[chunk * columns + column] = sum;
}

static __global__ void add_chunks(float *to, const float *parts, size_t chunks, size_t columns)
{
    each_in_grid(columns, [=](size_t column) {
        float sum = 0;
        for (size_t chunk = 0; chunk < chunks; chunk++)
            sum += parts[chunk * columns + column];
        to[column] += sum;
    });
}

/* The values of a matrix itself. */
struct matrix {
    const float *x;
    size_t columns;
    __device__ float operator()(size_t r, size_t column) const
    {
        return x[r * columns + column];
    }
};

/* to[columns] += the sums over the rows of value(row, column), which is called on the device */
template <class Value>
static void add_columns(struct device *d, float *to, size_t rows, size_t columns, Value value)
{
    size_t chunks = pieces(rows, CHUNK);
    float *parts = static_cast<float *>(cuda_scratch(d, chunks * columns * sizeof *parts));
    if (!parts)
        return;
    launch(d, sum_chunks<Value>, pieces(columns, TILE) * chunks, THREADS, parts, rows, columns,
           value);
    launch(d, add_chunks, cuda_blocks(d, columns, THREADS), THREADS, to, parts, chunks, columns);
}

#endif
