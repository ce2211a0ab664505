/* Batch normalization: a block takes TILE columns. */
#include "kernels/cuda/sums.h"

/* The sum over the rows of value(row, column), which all threads of a column get. */
template <class Value>
static __device__ float column_sum(size_t rows, size_t column, bool inside, Value value)
{
    __shared__ float sums[TILE];
    float sum = tile_sum(0, rows, column, inside, value);
    if (threadIdx.x < WARP)
        sums[lane()] = sum;
    __syncthreads();
    sum = sums[lane()];
    __syncthreads(); /* both memories may be used again */
    return sum;
}

/* What is normalized by, and where it is kept. */
struct statistics {
    float *mean, *rstd, *running_mean, *running_var;
    float eps, momentum;
    bool own;
};

/* The running statistics of a column, towards those of the batch. */
static __device__ void move(const struct statistics &s, size_t column, float mean, float var)
{
    float keep = 1 - s.momentum;
    s.running_mean[column] = keep * s.running_mean[column] + s.momentum * mean;
    s.running_var[column] = keep * s.running_var[column] + s.momentum * var;
}

static __global__ void forward(float *y, struct statistics s, const float *x, const float *gain,
                               const float *bias, size_t rows, size_t dim)
{
    size_t column = (size_t)blockIdx.x * TILE + lane();
    bool inside = column < dim, first = threadIdx.x < WARP && inside;
    float mean = 0, var = 0;
    if (s.own) {
        mean = column_sum(rows, column, inside, [=](size_t r, size_t i) { return x[r * dim + i]; });
        mean /= (float)rows;
        var = column_sum(rows, column, inside, [=](size_t r, size_t i) {
            return (x[r * dim + i] - mean) * (x[r * dim + i] - mean);
        });
        var /= (float)rows;
        if (first)
            move(s, column, mean, var * (float)rows / (float)(rows - 1));
    } else if (inside) {
        mean = s.running_mean[column];
        var = s.running_var[column];
    }
    float rstd = 1 / sqrtf(var + s.eps);
    if (first) {
        s.mean[column] = mean;
        s.rstd[column] = rstd;
    }
    for (size_t r = threadIdx.x / WARP; inside && r < rows; r += WARPS)
        y[r * dim + column] = (x[r * dim + column] - mean) * rstd * gain[column] + bias[column];
}

void cuda_batch_norm_forward(struct device *d, float *y, float *mean, float *rstd,
                             float *running_mean, float *running_var, const float *x,
                             const float *gain, const float *bias, size_t rows, size_t dim,
                             float eps, float momentum, bool own)
{
    struct statistics s = {mean, rstd, running_mean, running_var, eps, momentum, own};
    launch(d, forward, pieces(dim, TILE), THREADS, y, s, x, gain, bias, rows, dim);
}

static __global__ void backward(float *dx, float *dgain, float *dbias, const float *dy,
                                const float *x, const float *mean, const float *rstd,
                                const float *gain, size_t rows, size_t dim, bool own, bool add)
{
    size_t column = (size_t)blockIdx.x * TILE + lane();
    bool inside = column < dim;
    float m = inside ? mean[column] : 0, s = inside ? rstd[column] : 0, share = 0;
    float by_bias =
        column_sum(rows, column, inside, [=](size_t r, size_t i) { return dy[r * dim + i]; });
    float by_gain = column_sum(rows, column, inside, [=](size_t r, size_t i) {
        return dy[r * dim + i] * (x[r * dim + i] - m) * s;
    });
    if (own)
        share = 1 / (float)rows;
    if (threadIdx.x < WARP && inside && dgain)
        dgain[column] += by_gain;
    if (threadIdx.x < WARP && inside && dbias)
        dbias[column] += by_bias;
    for (size_t r = threadIdx.x / WARP; dx && inside && r < rows; r += WARPS) {
        size_t i = r * dim + column;
        float slope = dy[i] - share * (by_bias + (x[i] - m) * s * by_gain);
        put(dx + i, gain[column] * s * slope, add);
    }
}

void cuda_batch_norm_backward(struct device *d, float *dx, float *dgain, float *dbias,
                              const float *dy, const float *x, const float *mean, const float *rstd,
                              const float *gain, size_t rows, size_t dim, bool own, bool add)
{
    launch(d, backward, pieces(dim, TILE), THREADS, dx, dgain, dbias, dy, x, mean, rstd, gain, rows,
           dim, own, add);
}
