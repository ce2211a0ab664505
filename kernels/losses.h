/* The losses of one value or one row, in double, and their slopes: table.def has the formulas. */
#ifndef MSA_LOSSES_H
#define MSA_LOSSES_H

#include "kernels/kernels.h"
#include "kernels/scalar.h"
#include <math.h>

/* --- regression, of the error e */

SCALAR double regression_loss(double e, enum regression kind, double phi)
{
    if (kind == REGRESSION_MSE)
        return e * e;
    if (kind == REGRESSION_L1)
        return fabs(e);
    return fabs(e) < phi ? e * e / (2 * phi) : fabs(e) - phi / 2;
}

/* A sample's loss, or slope, by its weight; weight may be NULL. */
SCALAR double weighted(double value, const float *weight, size_t i)
{
    return weight ? weight[i] * value : value;
}

SCALAR double regression_slope(double e, enum regression kind, double phi)
{
    double sign = e > 0 ? 1 : e < 0 ? -1 : e; /* 0 of 0, and what is not a number stays that */
    if (kind == REGRESSION_MSE)
        return 2 * e;
    if (kind == REGRESSION_L1)
        return sign;
    return fabs(e) < phi ? e / phi : sign;
}

/* --- classification */

SCALAR double log_sum_exp(const float *x, size_t n)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    return most + log(sum);
}

/* --- cosine */

/* What a pair of rows has in common. */
struct pair {
    double cosine, norm_a, norm_b; /* norms as they are used: not below the least */
    bool grows_a, grows_b;         /* do the norms follow their rows? */
};

/* Of the products a b, a a and b b. */
SCALAR struct pair pair_of_products(double ab, double aa, double bb)
{
    const double least_norm = 1e-12;
    struct pair p;
    p.norm_a = sqrt(aa), p.norm_b = sqrt(bb);
    p.grows_a = !(p.norm_a < least_norm);
    p.grows_b = !(p.norm_b < least_norm);
    p.norm_a = p.grows_a ? p.norm_a : least_norm;
    p.norm_b = p.grows_b ? p.norm_b : least_norm;
    p.cosine = ab / (p.norm_a * p.norm_b);
    return p;
}

/* The gradient by a is by_other b + by_a a, that by b by_other a + by_b b; g is that by the cosine.
 */
struct pair_slopes {
    float by_other, by_a, by_b;
};

SCALAR struct pair_slopes pair_slopes_of(const struct pair *p, double g)
{
    struct pair_slopes s;
    s.by_other = (float)(g / (p->norm_a * p->norm_b));
    s.by_a = p->grows_a ? (float)(-g * p->cosine / (p->norm_a * p->norm_a)) : 0;
    s.by_b = p->grows_b ? (float)(-g * p->cosine / (p->norm_b * p->norm_b)) : 0;
    return s;
}

/* --- contrast */

/* One sample's cosines, positives first. */
struct cosines {
    const float *c;
    size_t positives, all;
    double tau;
};

/* Log of the sum of exp(c/tau) of those from `from` to `to`, and, where it is not behind the end,
 * of one more. */
SCALAR double cosines_lse(const struct cosines *s, size_t from, size_t to, size_t extra)
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

SCALAR double cosines_loss(const struct cosines *s, enum contrast kind)
{
    double all = cosines_lse(s, 0, s->all, s->all), sum = 0;
    if (kind == CONTRAST_MNTX)
        return all - cosines_lse(s, 0, s->positives, s->all);
    for (size_t i = 0; i < s->positives; i++) {
        double below = kind == CONTRAST_NTXENT ? all : cosines_lse(s, s->positives, s->all, i);
        sum += below - s->c[i] / s->tau;
    }
    return kind == CONTRAST_NTXENT ? sum : sum / (double)s->positives;
}

/* The gradient of the sample's loss by c[j]/tau. */
SCALAR double cosines_slope(const struct cosines *s, enum contrast kind, size_t j)
{
    double x = s->c[j] / s->tau, count = (double)s->positives;
    bool positive = j < s->positives;
    double share = exp(x - cosines_lse(s, 0, s->all, s->all));
    if (kind == CONTRAST_MNTX)
        return share - (positive ? exp(x - cosines_lse(s, 0, s->positives, s->all)) : 0);
    if (kind == CONTRAST_NTXENT)
        return count * share - (positive ? 1 : 0);
    if (positive)
        return (exp(x - cosines_lse(s, s->positives, s->all, j)) - 1) / count;
    double sum = 0;
    for (size_t i = 0; i < s->positives; i++)
        sum += exp(x - cosines_lse(s, s->positives, s->all, i));
    return sum / count;
}

#endif
