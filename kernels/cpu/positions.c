/* A learned row in front of the frames, learned positions on all of them, dropout. A sample's rows
 * are taken as one: those of x and y, and the positions, all follow one another. */
#include "kernels/cpu/cpu.h"

/* How many of a sample's n elements from `at` on are the learned row's. */
static size_t learned_of(size_t dim, size_t at, size_t n)
{
    return at < dim ? least(n, dim - at) : 0;
}

/* n elements of a sample from `at` on: (x + position) through the dropout, x being the learned row
 * and, behind it, the sample's frames e. `first` is the number of the first element. */
static void elements_forward(float *y, const float *e, const float *cls, const float *positions,
                             size_t dim, size_t at, size_t n, const struct mask *mask,
                             uint64_t first)
{
    float factors[CHUNK];
    size_t learned = learned_of(dim, at, n);
    mask_factors(factors, mask, first, n);
#pragma omp simd
    for (size_t i = 0; i < learned; i++)
        y[at + i] = factors[i] * (cls[at + i] + positions[at + i]);
#pragma omp simd
    for (size_t i = learned; i < n; i++)
        y[at + i] = factors[i] * (e[at + i - dim] + positions[at + i]);
}

void cpu_positions_forward(struct device *d, float *y, const float *e, const float *cls,
                           const float *positions, size_t batch, size_t frames, size_t dim,
                           const struct dropout *drop)
{
    struct mask mask = mask_of(drop);
    size_t own = frames * dim, all = dim + own, pieces = (all + CHUNK - 1) / CHUNK;
    int threads = workers(d, batch * all);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t piece = 0; piece < batch * pieces; piece++) {
        size_t b = piece / pieces, at = piece % pieces * CHUNK;
        elements_forward(y + b * all, e + b * own, cls, positions, dim, at, least(CHUNK, all - at),
                         &mask, (uint64_t)b * all + at);
    }
}

/* The gradient of n elements from `at` on of each sample: it goes to the frames (the learned row is
 * none), and its sum over the samples to the positions and to the learned row. */
static void elements_backward(float *de, float *dcls, float *dpositions, const float *dy,
                              size_t batch, size_t frames, size_t dim, size_t at, size_t n,
                              const struct mask *mask, bool add)
{
    float total[CHUNK] = {0}, factors[CHUNK];
    size_t own = frames * dim, learned = learned_of(dim, at, n);
    for (size_t b = 0; b < batch; b++) {
        size_t first = b * (dim + own) + at;
        mask_factors(factors, mask, first, n);
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            factors[i] *= dy[first + i];
            total[i] += factors[i];
        }
        if (de)
#pragma omp simd
            for (size_t i = learned; i < n; i++)
                put(de + b * own + (at + i - dim), factors[i], add);
    }
    for (size_t i = 0; dpositions && i < n; i++)
        dpositions[at + i] += total[i];
    for (size_t i = 0; dcls && i < learned; i++)
        dcls[at + i] += total[i];
}

void cpu_positions_backward(struct device *d, float *de, float *dcls, float *dpositions,
                            const float *dy, size_t batch, size_t frames, size_t dim,
                            const struct dropout *drop, bool add)
{
    struct mask mask = mask_of(drop);
    size_t all = (1 + frames) * dim;
    int threads = workers(d, batch * all);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t at = 0; at < all; at += CHUNK)
        elements_backward(de, dcls, dpositions, dy, batch, frames, dim, at, least(CHUNK, all - at),
                          &mask, add);
}
