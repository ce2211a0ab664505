/* Batch normalization, a strip of columns at a time. */
#include "kernels/cpu/cpu.h"

/* Of STRIP columns. */
struct strip {
    float mean[STRIP], variance[STRIP];
};

/* variance is the mean of the squared differences */
static void measure(struct strip *s, const float *x, size_t rows, size_t dim, size_t width)
{
    sum_columns(s->mean, x, rows, dim, width);
    for (size_t j = 0; j < width; j++) {
        s->mean[j] /= (float)rows;
        s->variance[j] = 0;
    }
    for (size_t r = 0; r < rows; r++)
#pragma omp simd
        for (size_t j = 0; j < width; j++) {
            float difference = x[r * dim + j] - s->mean[j];
            s->variance[j] += difference * difference;
        }
    for (size_t j = 0; j < width; j++)
        s->variance[j] /= (float)rows;
}

/* Running statistics move towards those of the batch. */
static void move(float *running_mean, float *running_var, const struct strip *s, size_t rows,
                 float momentum, size_t width)
{
    float unbiased = (float)rows / (float)(rows - 1);
    for (size_t j = 0; j < width; j++) {
        running_mean[j] = (1 - momentum) * running_mean[j] + momentum * s->mean[j];
        running_var[j] = (1 - momentum) * running_var[j] + momentum * unbiased * s->variance[j];
    }
}

static void read_running(struct strip *s, const float *running_mean, const float *running_var,
                         size_t width)
{
    for (size_t j = 0; j < width; j++) {
        s->mean[j] = running_mean[j];
        s->variance[j] = running_var[j];
    }
}

void cpu_batch_norm_forward(struct device *d, float *y, float *mean, float *rstd,
                            float *running_mean, float *running_var, const float *x,
                            const float *gain, const float *bias, size_t rows, size_t dim,
                            float eps, float momentum, bool own)
{
    int threads = workers(d, rows * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < dim; at += STRIP) {
        struct strip s;
        size_t width = least(STRIP, dim - at);
        if (own) {
            measure(&s, x + at, rows, dim, width);
            move(running_mean + at, running_var + at, &s, rows, momentum, width);
        } else {
            read_running(&s, running_mean + at, running_var + at, width);
        }
        for (size_t j = 0; j < width; j++) {
            mean[at + j] = s.mean[j];
            rstd[at + j] = 1 / sqrtf(s.variance[j] + eps);
        }
        for (size_t r = 0; r < rows; r++)
#pragma omp simd
            for (size_t i = at; i < at + width; i++)
                y[r * dim + i] = (x[r * dim + i] - mean[i]) * rstd[i] * gain[i] + bias[i];
    }
}

/* The sums over the rows of dy and of dy xhat, xhat being the normalized value. */
struct slopes {
    float bias[STRIP], gain[STRIP];
};

static void sum_slopes(struct slopes *s, const float *dy, const float *x, const float *mean,
                       const float *rstd, size_t rows, size_t dim, size_t width)
{
    sum_columns(s->bias, dy, rows, dim, width);
    for (size_t j = 0; j < width; j++)
        s->gain[j] = 0;
    for (size_t r = 0; r < rows; r++)
#pragma omp simd
        for (size_t j = 0; j < width; j++)
            s->gain[j] += dy[r * dim + j] * (x[r * dim + j] - mean[j]) * rstd[j];
}

void cpu_batch_norm_backward(struct device *d, float *dx, float *dgain, float *dbias,
                             const float *dy, const float *x, const float *mean, const float *rstd,
                             const float *gain, size_t rows, size_t dim, bool own, bool add)
{
    int threads = workers(d, rows * dim);
    float share = own ? 1 / (float)rows : 0;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < dim; at += STRIP) {
        struct slopes s;
        size_t width = least(STRIP, dim - at);
        sum_slopes(&s, dy + at, x + at, mean + at, rstd + at, rows, dim, width);
        for (size_t j = 0; j < width; j++) {
            if (dgain)
                dgain[at + j] += s.gain[j];
            if (dbias)
                dbias[at + j] += s.bias[j];
        }
        for (size_t r = 0; dx && r < rows; r++)
#pragma omp simd
            for (size_t j = 0; j < width; j++) {
                size_t i = r * dim + at + j;
                float xhat = (x[i] - mean[at + j]) * rstd[at + j];
                float slope = dy[i] - share * (s.bias[j] + xhat * s.gain[j]);
                put(dx + i, gain[at + j] * rstd[at + j] * slope, add);
            }
    }
}
