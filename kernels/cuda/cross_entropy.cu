/* The classification loss, a thread to a row. */
#include "kernels/cuda/cuda.h"

static __global__ void forward(float *loss, const float *logits, const int32_t *class_of,
                               size_t rows, size_t classes)
{
    double sum = 0;
    for (size_t r = threadIdx.x; r < rows; r += THREADS) {
        const float *row = logits + r * classes;
        sum += log_sum_exp(row, classes) - row[class_of[r]];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *loss = (float)(sum / (double)rows);
}

void cuda_cross_entropy_forward(struct device *d, float *loss, const float *logits,
                                const int32_t *class_of, size_t rows, size_t classes)
{
    launch(d, forward, 1, THREADS, loss, logits, class_of, rows, classes);
}

static __global__ void backward(float *dlogits, const float *dloss, const float *logits,
                                const int32_t *class_of, size_t rows, size_t classes, bool add)
{
    double share = *dloss / (double)rows;
    each_in_grid(rows, [=](size_t r) {
        const float *row = logits + r * classes;
        double lse = log_sum_exp(row, classes);
        for (size_t i = 0; i < classes; i++) {
            double p = exp(row[i] - lse) - ((int32_t)i == class_of[r] ? 1 : 0);
            put(dlogits + r * classes + i, (float)(share * p), add);
        }
    });
}

void cuda_cross_entropy_backward(struct device *d, float *dlogits, const float *dloss,
                                 const float *logits, const int32_t *class_of, size_t rows,
                                 size_t classes, bool add)
{
    if (dlogits)
        launch(d, backward, cuda_blocks(d, rows, THREADS), THREADS, dlogits, dloss, logits,
               class_of, rows, classes, add);
}
