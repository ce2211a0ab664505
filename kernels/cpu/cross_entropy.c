/* The classification loss. */
#include "kernels/cpu/cpu.h"
#include "kernels/losses.h"

void cpu_cross_entropy_forward(struct device *d, float *loss, const float *logits,
                               const int32_t *class_of, size_t rows, size_t classes)
{
    (void)d;
    double sum = 0;
    for (size_t r = 0; r < rows; r++) {
        const float *row = logits + r * classes;
        sum += log_sum_exp(row, classes) - row[class_of[r]];
    }
    *loss = (float)(sum / (double)rows);
}

void cpu_cross_entropy_backward(struct device *d, float *dlogits, const float *dloss,
                                const float *logits, const int32_t *class_of, size_t rows,
                                size_t classes, bool add)
{
    (void)d;
    double share = *dloss / (double)rows;
    for (size_t r = 0; dlogits && r < rows; r++) {
        const float *row = logits + r * classes;
        double lse = log_sum_exp(row, classes);
        for (size_t i = 0; i < classes; i++) {
            double p = exp(row[i] - lse) - ((int32_t)i == class_of[r] ? 1 : 0);
            put(dlogits + r * classes + i, (float)(share * p), add);
        }
    }
}
