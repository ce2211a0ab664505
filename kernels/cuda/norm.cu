/* Residual connection, dropout and layer normalization in one kernel, a warp to a row. */
#include "kernels/cuda/sums.h"

/* One row's sum = x + drop(z), of elements from `first` on; returns the thread's share of its
 * total. */
static __device__ float add_dropped(float *sum, const float *x, const float *z, size_t dim,
                                    const struct mask &mask, uint64_t first)
{
    float total = 0;
    each_kept(mask, first, dim, 0, 1, [&](size_t i, float factor) {
        sum[i] = x[i] + factor * z[i];
        total += sum[i];
    });
    __syncwarp(); /* others read what this thread has written */
    return total;
}

static __device__ float total_of(const float *x, size_t dim)
{
    float total = 0;
    each_in_warp(dim, [&](size_t i) { total += x[i]; });
    return total;
}

static __global__ void forward(float *y, float *sum, float *mean, float *rstd, const float *x,
                               const float *z, const float *gain, const float *bias, size_t rows,
                               size_t dim, float eps, struct mask mask)
{
    each_row(rows, [=](size_t r) {
        const float *row = (z ? sum : x) + r * dim;
        float total =
            z ? add_dropped(sum + r * dim, x + r * dim, z + r * dim, dim, mask, (uint64_t)r * dim)
              : total_of(row, dim);
        float m = warp_sum(total) / (float)dim, squares = 0;
        each_in_warp(dim, [&](size_t i) { squares += (row[i] - m) * (row[i] - m); });
        float s = 1 / sqrtf(warp_sum(squares) / (float)dim + eps);
        each_in_warp(dim, [=](size_t i) { y[r * dim + i] = (row[i] - m) * s * gain[i] + bias[i]; });
        if (lane() == 0) {
            mean[r] = m;
            rstd[r] = s;
        }
    });
}

void cuda_norm_forward(struct device *d, float *y, float *sum, float *mean, float *rstd,
                       const float *x, const float *z, const float *gain, const float *bias,
                       size_t rows, size_t dim, float eps, const struct dropout *drop)
{
    launch(d, forward, cuda_blocks(d, rows, WARPS), THREADS, y, sum, mean, rstd, x, z, gain, bias,
           rows, dim, eps, mask_of(drop));
}

/* Rounded alike wherever it is used, so that a row of one value, say, has no gradient at all. */
static __device__ float slope_of(float dy, float gain)
{
    return __fmul_rn(dy, gain);
}

/* dx = rstd (g - mean g - xhat mean(g xhat)), g being dy gain and xhat the normalized value, and
 * its share dz through the dropout; either may be NULL */
static __global__ void inputs(float *dx, float *dz, const float *dy, const float *sum,
                              const float *mean, const float *rstd, const float *gain, size_t rows,
                              size_t dim, struct mask mask, bool add_x, bool add_z)
{
    each_row(rows, [=](size_t r) {
        size_t first = r * dim;
        float m = mean[r], s = rstd[r], g = 0, gx = 0;
        each_in_warp(dim, [&](size_t i) {
            float slope = slope_of(dy[first + i], gain[i]);
            g += slope;
            gx += slope * (sum[first + i] - m) * s;
        });
        g = warp_sum(g) / (float)dim;
        gx = warp_sum(gx) / (float)dim;
        each_kept(mask, first, dim, 0, 1, [=](size_t i, float factor) {
            size_t at = first + i;
            float by_sum = s * (slope_of(dy[at], gain[i]) - g - (sum[at] - m) * s * gx);
            if (dx)
                put(dx + at, by_sum, add_x);
            if (dz)
                put(dz + at, by_sum * factor, add_z);
        });
    });
}

struct gain_slope {
    const float *dy, *sum, *mean, *rstd;
    size_t dim;
    __device__ float operator()(size_t r, size_t i) const
    {
        return dy[r * dim + i] * (sum[r * dim + i] - mean[r]) * rstd[r];
    }
};

void cuda_norm_backward(struct device *d, float *dx, float *dz, float *dgain, float *dbias,
                        const float *dy, const float *sum, const float *mean, const float *rstd,
                        const float *gain, size_t rows, size_t dim, const struct dropout *drop,
                        bool add_x, bool add_z)
{
    if (dgain)
        add_columns(d, dgain, rows, dim, gain_slope{dy, sum, mean, rstd, dim});
    if (dbias)
        add_columns(d, dbias, rows, dim, matrix{dy, dim});
    if (dx || dz)
        launch(d, inputs, cuda_blocks(d, rows, WARPS), THREADS, dx, dz, dy, sum, mean, rstd, gain,
               rows, dim, mask_of(drop), add_x, add_z);
}
