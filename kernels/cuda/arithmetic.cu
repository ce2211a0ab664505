/* Arithmetic of two arrays, of which the second may be repeated over the first. */
#include "kernels/cuda/sums.h"

enum { PIECE = 1024 /* elements whose sum a warp makes where rows do not matter */ };

static size_t count_of(const struct arithmetic &s)
{
    return s.rows * s.cols;
}

/* Which of b stands beside element i of a. */
static __device__ size_t beside(const struct arithmetic &s, size_t i)
{
    switch (s.b) {
    case BROADCAST_ROW:
        return i % s.cols;
    case BROADCAST_COLUMN:
        return i / s.cols;
    case BROADCAST_NUMBER:
        return 0;
    default:
        return i;
    }
}

static __global__ void forward(float *y, const float *a, const float *b, struct arithmetic s)
{
    each_in_grid(s.rows * s.cols,
                 [=](size_t i) { y[i] = arithmetic_of(a[i], b[beside(s, i)], s.kind, s.eps); });
}

void cuda_arithmetic_forward(struct device *d, float *y, const float *a, const float *b,
                             const struct arithmetic *shape)
{
    launch(d, forward, cuda_blocks(d, count_of(*shape), THREADS), THREADS, y, a, b, *shape);
}

static __global__ void by_a(float *da, const float *dy, const float *b, struct arithmetic s,
                            bool add)
{
    each_in_grid(s.rows * s.cols, [=](size_t i) {
        put(da + i, arithmetic_by_a(dy[i], b[beside(s, i)], s.kind, s.eps), add);
    });
}

/* --- the gradient by b */

/* What element i of a adds to it. */
struct slope {
    const float *dy, *a, *b;
    struct arithmetic s;
    __device__ float at(size_t i) const
    {
        return arithmetic_by_b(dy[i], a[i], b[beside(s, i)], s.kind, s.eps);
    }
    __device__ float operator()(size_t r, size_t column) const
    {
        return at(r * s.cols + column);
    }
};

static __global__ void by_each(float *db, struct slope slope, bool add)
{
    each_in_grid(slope.s.rows * slope.s.cols, [=](size_t i) { put(db + i, slope.at(i), add); });
}

/* sums[piece], of `width` elements each */
static __global__ void by_piece(float *sums, struct slope slope, size_t width, bool add)
{
    size_t count = slope.s.rows * slope.s.cols;
    each_row(pieces(count, width), [=](size_t piece) {
        size_t at = piece * width, length = count - at < width ? count - at : width;
        float sum = 0;
        each_in_warp(length, [&](size_t i) { sum += slope.at(at + i); });
        sum = warp_sum(sum);
        if (lane() == 0)
            put(sums + piece, sum, add);
    });
}

static void add_up_pieces(struct device *d, float *sums, const struct slope &slope, size_t width,
                          bool add)
{
    launch(d, by_piece, cuda_blocks(d, pieces(count_of(slope.s), width), WARPS), THREADS, sums,
           slope, width, add);
}

static __global__ void add_up(float *total, const float *sums, size_t n, bool add)
{
    double sum = 0;
    for (size_t i = threadIdx.x; i < n; i += THREADS)
        sum += (double)sums[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        put(total, (float)sum, add);
}

static void by_number(struct device *d, float *db, const struct slope &slope, bool add)
{
    size_t n = pieces(count_of(slope.s), PIECE);
    float *sums = static_cast<float *>(cuda_scratch(d, n * sizeof *sums));
    if (!sums)
        return;
    add_up_pieces(d, sums, slope, PIECE, false);
    launch(d, add_up, 1, THREADS, db, sums, n, add);
}

static void by_row(struct device *d, float *db, const struct slope &slope, bool add)
{
    if (!add)
        cuda_fill(d, db, 0, slope.s.cols);
    add_columns(d, db, slope.s.rows, slope.s.cols, slope);
}

void cuda_arithmetic_backward(struct device *d, float *da, float *db, const float *dy,
                              const float *a, const float *b, const struct arithmetic *shape,
                              bool add_a, bool add_b)
{
    size_t blocks = cuda_blocks(d, count_of(*shape), THREADS);
    struct slope slope = {dy, a, b, *shape};
    if (da)
        launch(d, by_a, blocks, THREADS, da, dy, b, *shape, add_a);
    if (!db)
        return;
    switch (shape->b) {
    case BROADCAST_NONE:
        launch(d, by_each, blocks, THREADS, db, slope, add_b);
        break;
    case BROADCAST_ROW:
        by_row(d, db, slope, add_b);
        break;
    case BROADCAST_COLUMN:
        add_up_pieces(d, db, slope, shape->cols, add_b);
        break;
    case BROADCAST_NUMBER:
        by_number(d, db, slope, add_b);
        break;
    }
}
