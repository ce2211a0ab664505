/* The contrastive losses over the cosines of each sample, positives first. */
#include "kernels/cpu/cpu.h"

/* One sample's cosines. */
struct cosines {
    const float *c;
    size_t positives, all;
    double tau;
};

/* Log of the sum of exp(c/tau) of those from `from` to `to`, and, where it is not behind the end,
 * of one more. */
static double lse(const struct cosines *s, size_t from, size_t to, size_t extra)
{
    double most = extra < s->all ? s->c[extra] : -INFINITY, sum = 0;
    for (size_t i = from; i < to; i++)
        most = s->c[i] > most ? s->c[i] : most;
    for (size_t i = from; i < to; i++)
        sum += exp((s->c[i] - most) / s->tau);
    if (extra < s->all)
        sum += exp((s->c[extra] - most) / s->tau);
    return most / s->tau + log(sum);
}

static double row_loss(const struct cosines *s, enum contrast kind)
{
    double all = lse(s, 0, s->all, s->all), sum = 0;
    if (kind == CONTRAST_MNTX)
        return all - lse(s, 0, s->positives, s->all);
    for (size_t i = 0; i < s->positives; i++) {
        double below = kind == CONTRAST_NTXENT ? all : lse(s, s->positives, s->all, i);
        sum += below - s->c[i] / s->tau;
    }
    return kind == CONTRAST_NTXENT ? sum : sum / (double)s->positives;
}

/* The gradient of the row's loss by c[j]/tau. */
static double row_slope(const struct cosines *s, enum contrast kind, size_t j)
{
    double x = s->c[j] / s->tau, count = (double)s->positives;
    bool positive = j < s->positives;
    double share = exp(x - lse(s, 0, s->all, s->all));
    if (kind == CONTRAST_MNTX)
        return share - (positive ? exp(x - lse(s, 0, s->positives, s->all)) : 0);
    if (kind == CONTRAST_NTXENT)
        return count * share - (positive ? 1 : 0);
    if (positive)
        return (exp(x - lse(s, s->positives, s->all, j)) - 1) / count;
    double sum = 0;
    for (size_t i = 0; i < s->positives; i++)
        sum += exp(x - lse(s, s->positives, s->all, i));
    return sum / count;
}

void cpu_contrast_forward(struct device *d, float *loss, const float *c, size_t rows,
                          size_t positives, size_t negatives, enum contrast kind, float tau)
{
    (void)d;
    double sum = 0;
    struct cosines s = {c, positives, positives + negatives, tau};
    for (size_t r = 0; r < rows; r++, s.c += s.all)
        sum += row_loss(&s, kind);
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
            put(dc + r * s.all + j, (float)(share * row_slope(&s, kind, j)), add);
}
