/* Residual connection, dropout and layer normalization in one pass over the rows. */
#include "kernels/cpu/cpu.h"

/* Rows whose share of dgain and dbias is summed before it is added to the rest. */
enum { ROWS = 64 };

static void add_dropped(float *sum, const float *x, const float *z, size_t n,
                        struct factors *dropout, uint64_t first)
{
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t count = least(CHUNK, n - at);
        const float *factors = factors_at(dropout, first + at, count);
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            sum[at + i] = x[at + i] + factors[i] * z[at + i];
    }
}

static float row_mean(const float *x, size_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (float)n;
}

static float row_variance(const float *x, float mean, size_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (float)n;
}

void cpu_norm_forward(struct device *d, float *y, float *sum, float *mean, float *rstd,
                      const float *x, const float *z, const float *gain, const float *bias,
                      size_t rows, size_t dim, float eps, const struct dropout *drop)
{
    struct mask mask = mask_of(drop);
    int threads = workers(d, rows * dim);
#pragma omp parallel num_threads(threads)
    {
        float ahead[CHUNK];
        struct factors dropout = {&mask, (uint64_t)rows * dim, ahead, CHUNK, 0, 0};
#pragma omp for schedule(static)
        for (size_t r = 0; r < rows; r++) {
            const float *row = (z ? sum : x) + r * dim;
            if (z)
                add_dropped(sum + r * dim, x + r * dim, z + r * dim, dim, &dropout,
                            (uint64_t)r * dim);
            float m = row_mean(row, dim), s = 1 / sqrtf(row_variance(row, m, dim) + eps);
#pragma omp simd
            for (size_t i = 0; i < dim; i++)
                y[r * dim + i] = (row[i] - m) * s * gain[i] + bias[i];
            mean[r] = m;
            rstd[r] = s;
        }
    }
}

/* One row of the backward pass: its statistics and what it needs. */
struct row {
    const float *dy, *sum, *gain;
    float mean, rstd;
    size_t dim;
};

/* Adds the row's share to dgain and dbias; returns the means of g = dy gain and of g xhat, where
 * xhat is the normalized value. */
static void row_parameters(float *dgain, float *dbias, float *mean_g, float *mean_gx,
                           const struct row *row)
{
    float g = 0, gx = 0;
    const float *dy = row->dy, *sum = row->sum, *gain = row->gain;
    float mean = row->mean, rstd = row->rstd;
#pragma omp simd reduction(+ : g, gx)
    for (size_t i = 0; i < row->dim; i++) {
        float xhat = (sum[i] - mean) * rstd, share = dy[i] * xhat;
        dgain[i] += share;
        dbias[i] += dy[i];
        g += dy[i] * gain[i];
        gx += share * gain[i];
    }
    *mean_g = g / (float)row->dim;
    *mean_gx = gx / (float)row->dim;
}

/* dx = rstd (g - mean g - xhat mean(g xhat)), and its share dz through the dropout; either may be
 * NULL */
static void row_inputs(float *dx, float *dz, const struct row *row, float mean_g, float mean_gx,
                       struct factors *dropout, uint64_t first, bool add_x, bool add_z)
{
    for (size_t at = 0; at < row->dim; at += CHUNK) {
        float by_sum[CHUNK];
        size_t count = least(CHUNK, row->dim - at);
        const float *dy = row->dy + at, *sum = row->sum + at, *gain = row->gain + at;
        float mean = row->mean, rstd = row->rstd;
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            by_sum[i] = rstd * (dy[i] * gain[i] - mean_g - (sum[i] - mean) * rstd * mean_gx);
        if (dx)
#pragma omp simd
            for (size_t i = 0; i < count; i++)
                put(dx + at + i, by_sum[i], add_x);
        if (!dz)
            continue;
        const float *factors = factors_at(dropout, first + at, count);
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            put(dz + at + i, by_sum[i] * factors[i], add_z);
    }
}

/* to[dim] += the sums of the columns of parts[count,2 dim], from column `from` on */
static void sum_parts(float *to, const float *parts, size_t count, size_t dim, size_t from)
{
    for (size_t at = 0; to && at < dim; at += STRIP) {
        float sums[STRIP];
        size_t width = least(STRIP, dim - at);
        sum_columns(sums, parts + from + at, count, 2 * dim, width);
        for (size_t j = 0; j < width; j++)
            to[at + j] += sums[j];
    }
}

void cpu_norm_backward(struct device *d, float *dx, float *dz, float *dgain, float *dbias,
                       const float *dy, const float *sum, const float *mean, const float *rstd,
                       const float *gain, size_t rows, size_t dim, const struct dropout *drop,
                       bool add_x, bool add_z)
{
    struct mask mask = mask_of(drop);
    size_t blocks = (rows + ROWS - 1) / ROWS;
    float *parts = cpu_scratch(d, blocks * 2 * dim * sizeof *parts);
    int threads = workers(d, rows * dim);
    if (!parts)
        return;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t block = 0; block < blocks; block++) {
        float *gains = parts + block * 2 * dim, *biases = gains + dim, mean_g, mean_gx;
        float ahead[CHUNK];
        size_t end = least(rows, (block + 1) * ROWS);
        struct factors dropout = {&mask, (uint64_t)end * dim, ahead, CHUNK, 0, 0};
        for (size_t i = 0; i < 2 * dim; i++)
            gains[i] = 0;
        for (size_t r = block * ROWS; r < end; r++) {
            struct row row = {dy + r * dim, sum + r * dim, gain, mean[r], rstd[r], dim};
            row_parameters(gains, biases, &mean_g, &mean_gx, &row);
            row_inputs(dx ? dx + r * dim : NULL, dz ? dz + r * dim : NULL, &row, mean_g, mean_gx,
                       &dropout, (uint64_t)r * dim, add_x, add_z);
        }
    }
    sum_parts(dgain, parts, blocks, dim, 0);
    sum_parts(dbias, parts, blocks, dim, dim);
}
