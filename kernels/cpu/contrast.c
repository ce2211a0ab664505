/* The contrastive losses over the cosines of each sample, positives first. */
#include "kernels/cpu/cpu.h"
#include "kernels/losses.h"

void cpu_contrast_forward(struct device *d, float *loss, const float *c, size_t rows,
                          size_t positives, size_t negatives, enum contrast kind, float tau)
{
    (void)d;
    double sum = 0;
    struct cosines s = {c, positives, positives + negatives, tau};
    for (size_t r = 0; r < rows; r++, s.c += s.all)
        sum += cosines_loss(&s, kind);
    *loss = (float)(sum / (double)rows);
}

void cpu_contrast_backward(struct device *d, float *dc, const float *dloss, const float *c,
                           size_t rows, size_t positives, size_t negatives, enum contrast kind,
                           float tau, bool add)
{
    (void)d;
    double share = *dloss / (double)rows / tau;
    struct cosines s = {c, positives, positives + negatives, tau};
    for (size_t r = 0; dc && r < rows; r++, s.c += s.all)
        for (size_t j = 0; j < s.all; j++)
            put(dc + r * s.all + j, (float)(share * cosines_slope(&s, kind, j)), add);
}
