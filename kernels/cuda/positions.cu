/* A learned row in front of the frames, learned positions on all of them, dropout. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *y, const float *e, const float *cls, const float *positions,
                               size_t batch, size_t frames, size_t dim, struct mask mask)
{
    size_t length = 1 + frames;
    each_row(batch * length, [=](size_t r) {
        size_t b = r / length, s = r % length;
        const float *x = s ? e + (b * frames + s - 1) * dim : cls, *position = positions + s * dim;
        each_kept(mask, (uint64_t)r * dim, dim, 0, 1,
                  [=](size_t i, float factor) { y[r * dim + i] = factor * (x[i] + position[i]); });
    });
}

void cuda_positions_forward(struct device *d, float *y, const float *e, const float *cls,
                            const float *positions, size_t batch, size_t frames, size_t dim,
                            const struct dropout *drop)
{
    launch(d, forward, cuda_blocks(d, batch * (1 + frames), WARPS), THREADS, y, e, cls, positions,
           batch, frames, dim, mask_of(drop));
}

/* One element of a position: of every sample its gradient goes to the frame (none for the first
 * position), and its sum over the samples to the position and, for the first one, to cls. */
static __global__ void backward(float *de, float *dcls, float *dpositions, const float *dy,
                                size_t batch, size_t frames, size_t dim, struct mask mask, bool add)
{
    size_t whole = (1 + frames) * dim;
    each_in_grid(whole, [=](size_t i) {
        float total = 0;
        for (size_t b = 0; b < batch; b++) {
            float slope = dy[b * whole + i] * factor_of(mask, b * whole + i);
            total += slope;
            if (de && i >= dim)
                put(de + b * frames * dim + i - dim, slope, add);
        }
        if (dpositions)
            dpositions[i] += total;
        if (dcls && i < dim)
            dcls[i] += total;
    });
}

void cuda_positions_backward(struct device *d, float *de, float *dcls, float *dpositions,
                             const float *dy, size_t batch, size_t frames, size_t dim,
                             const struct dropout *drop, bool add)
{
    launch(d, backward, cuda_blocks(d, (1 + frames) * dim, THREADS), THREADS, de, dcls, dpositions,
           dy, batch, frames, dim, mask_of(drop), add);
}
