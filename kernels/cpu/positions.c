/* A learned row in front of the frames, learned positions on all of them, dropout. */
#include "kernels/cpu/cpu.h"

/* y = (x + position) through the dropout, for one row whose first element is `first` */
static void row_forward(float *y, const float *x, const float *position, size_t dim,
                        const struct mask *mask, uint64_t first)
{
    for (size_t at = 0; at < dim; at += CHUNK) {
        float factors[CHUNK];
        size_t count = least(CHUNK, dim - at);
        mask_factors(factors, mask, first + at, count);
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            y[at + i] = factors[i] * (x[at + i] + position[at + i]);
    }
}

void cpu_positions_forward(struct device *d, float *y, const float *e, const float *cls,
                           const float *positions, size_t batch, size_t frames, size_t dim,
                           const struct dropout *drop)
{
    struct mask mask = mask_of(drop);
    size_t length = 1 + frames;
    int threads = workers(d, batch * length * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < batch * length; r++) {
        size_t b = r / length, s = r % length;
        const float *x = s ? e + (b * frames + s - 1) * dim : cls;
        row_forward(y + r * dim, x, positions + s * dim, dim, &mask, (uint64_t)r * dim);
    }
}

/* The gradient of one position, n elements from `at` of its rows: of every sample it goes to the
 * frame (none for the first position), and its sum over the samples to the position and, for the
 * first one, to cls. */
static void position_backward(float *de, float *dcls, float *dposition, const float *dy,
                              size_t batch, size_t frames, size_t dim, size_t s, size_t at,
                              size_t n, const struct mask *mask, bool add)
{
    float total[CHUNK] = {0}, factors[CHUNK];
    for (size_t b = 0; b < batch; b++) {
        size_t first = (b * (1 + frames) + s) * dim + at;
        mask_factors(factors, mask, first, n);
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            factors[i] *= dy[first + i];
            total[i] += factors[i];
        }
        if (de && s)
#pragma omp simd
            for (size_t i = 0; i < n; i++)
                put(de + (b * frames + s - 1) * dim + at + i, factors[i], add);
    }
    for (size_t i = 0; dposition && i < n; i++)
        dposition[s * dim + at + i] += total[i];
    for (size_t i = 0; dcls && !s && i < n; i++)
        dcls[at + i] += total[i];
}

void cpu_positions_backward(struct device *d, float *de, float *dcls, float *dpositions,
                            const float *dy, size_t batch, size_t frames, size_t dim,
                            const struct dropout *drop, bool add)
{
    struct mask mask = mask_of(drop);
    int threads = workers(d, batch * (1 + frames) * dim);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t s = 0; s <= frames; s++)
        for (size_t at = 0; at < dim; at += CHUNK)
            position_backward(de, dcls, dpositions, dy, batch, frames, dim, s, at,
                              least(CHUNK, dim - at), &mask, add);
}
