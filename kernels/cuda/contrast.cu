/* The contrastive losses over the cosines of each sample, a thread to a sample or a cosine. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *loss, const float *c, size_t rows, size_t positives,
                               size_t negatives, enum contrast kind, float tau)
{
    double sum = 0;
    for (size_t r = threadIdx.x; r < rows; r += THREADS) {
        struct cosines s = {c + r * (positives + negatives), positives, positives + negatives, tau};
        sum += cosines_loss(&s, kind);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *loss = (float)(sum / (double)rows);
}

void cuda_contrast_forward(struct device *d, float *loss, const float *c, size_t rows,
                           size_t positives, size_t negatives, enum contrast kind, float tau)
{
    launch(d, forward, 1, THREADS, loss, c, rows, positives, negatives, kind, tau);
}

static __global__ void backward(float *dc, const float *dloss, const float *c, size_t rows,
                                size_t positives, size_t negatives, enum contrast kind, float tau,
                                bool add)
{
    size_t all = positives + negatives;
    double share = *dloss / (double)rows / tau;
    each_in_grid(rows * all, [=](size_t i) {
        struct cosines s = {c + i / all * all, positives, all, tau};
        put(dc + i, (float)(share * cosines_slope(&s, kind, i % all)), add);
    });
}

void cuda_contrast_backward(struct device *d, float *dc, const float *dloss, const float *c,
                            size_t rows, size_t positives, size_t negatives, enum contrast kind,
                            float tau, bool add)
{
    if (dc)
        launch(d, backward, cuda_blocks(d, rows * (positives + negatives), THREADS), THREADS, dc,
               dloss, c, rows, positives, negatives, kind, tau, add);
}
