/* Metrics of predictions, and the classes that labels fall into. */
#include "common/metrics/metrics.h"

#include <math.h>
#include <string.h>

static const char *const sims_keys[] = {"acc2", "f1", "acc3", "acc5", "mae", "corr", NULL};
static const char *const mosi_keys[] = {"acc2_has0", "f1_has0", "acc2_non0", "f1_non0", "acc5",
                                        "acc7",      "mae",     "corr",      NULL};

const char *const *metrics_keys(enum family family)
{
    return family == FAMILY_SIMS ? sims_keys : mosi_keys;
}

bool metrics_smaller_is_better(const char *key)
{
    return strcmp(key, "mae") == 0;
}

/* ---- Classes ---- */

/* The number of thresholds below y: bins that are closed on the right. */
static int bin(float y, const float *thresholds, int n)
{
    int class = 0;
    while (class < n && y > thresholds[class])
        class ++;
    return class;
}

static int sims_class(float y, int classes)
{
    static const float two[] = {0}, three[] = {-.1f, .1f}, five[] = {-.7f, -.1f, .1f, .7f};
    return classes == 2   ? bin(y, two, 1)
           : classes == 3 ? bin(y, three, 2)
           : classes == 5 ? bin(y, five, 4)
                          : -1;
}

static int mosi_class(float y, int classes)
{
    if (classes == 2)
        return y >= 0;
    if (classes != 3 && classes != 5 && classes != 7)
        return -1;
    double end = (classes - 1) / 2, whole = y == .5f ? 0 : floor((double)y + .5);
    return (int)(fmin(fmax(whole, -end), end) + end);
}

int label_class(float label, int classes, enum family family)
{
    if (isnan(label))
        return -1;
    return family == FAMILY_SIMS ? sims_class(label, classes) : mosi_class(label, classes);
}

const char *class_name(int class, int classes, enum family family)
{
    static const char *const two[FAMILIES][2] = {{"not positive", "positive"},
                                                 {"negative", "not negative"}};
    static const char *const three[] = {"negative", "neutral", "positive"};
    static const char *const five[] = {"negative", "weakly negative", "neutral", "weakly positive",
                                       "positive"};
    static const char *const numbers[] = {"-3", "-2", "-1", "0", "1", "2", "3"};
    bool sims = family == FAMILY_SIMS;
    if (class < 0 || class >= classes || label_class(0, classes, family) < 0)
        return NULL;
    return classes == 2   ? two[family][class]
           : classes == 3 ? three[class]
           : sims         ? five[class]
                          : numbers[class + (7 - classes) / 2];
}

/* ---- Two classes ---- */

/* counts[truth][prediction] */
struct confusion {
    double counts[2][2];
};

static double accuracy(const struct confusion *c)
{
    double right = c->counts[0][0] + c->counts[1][1];
    return right / (right + c->counts[0][1] + c->counts[1][0]);
}

/* The F1 of each class, weighted by how often it is the truth. */
static double weighted_f1(const struct confusion *c)
{
    double sum = 0, all = 0;
    for (int k = 0; k < 2; k++) {
        double right = c->counts[k][k], truth = right + c->counts[k][!k],
               predicted = right + c->counts[!k][k];
        sum += truth + predicted > 0 ? truth * 2 * right / (truth + predicted) : 0;
        all += truth;
    }
    return all > 0 ? sum / all : 0;
}

/* ---- Over all samples; both sides are clipped to +-end first ---- */

static float clip(float x, float end)
{
    return x < -end ? -end : x > end ? end : x;
}

static double mean_absolute_error(const float *p, const float *y, size_t n, float end)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)fabsf(clip(p[i], end) - clip(y[i], end));
    return sum / (double)n;
}

static bool is_constant(const float *x, size_t n, float end)
{
    for (size_t i = 1; i < n; i++)
        if (clip(x[i], end) != clip(x[0], end))
            return false;
    return true;
}

static double mean(const float *x, size_t n, float end)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)clip(x[i], end);
    return sum / (double)n;
}

static double correlation(const float *p, const float *y, size_t n, float end)
{
    if (is_constant(p, n, end) || is_constant(y, n, end))
        return NAN;
    double mean_p = mean(p, n, end), mean_y = mean(y, n, end), pp = 0, yy = 0, py = 0;
    for (size_t i = 0; i < n; i++) {
        double dp = (double)clip(p[i], end) - mean_p, dy = (double)clip(y[i], end) - mean_y;
        pp += dp * dp;
        yy += dy * dy;
        py += dp * dy;
    }
    return py / sqrt(pp) / sqrt(yy);
}

/* The share of samples for which same(p, y) holds. */
static double share(const float *p, const float *y, size_t n, int classes,
                    bool (*same)(float, float, int))
{
    size_t right = 0;
    for (size_t i = 0; i < n; i++)
        right += same(p[i], y[i], classes);
    return (double)right / (double)n;
}

/* ---- Families ---- */

/* Rounded to whole numbers, halves to even. */
static bool same_mosi_class(float p, float y, int classes)
{
    float end = (float)(classes / 2);
    return rintf(clip(p, end)) == rintf(clip(y, end));
}

static void mosi_metrics(double *values, const float *p, const float *y, size_t n)
{
    struct confusion has0 = {0}, non0 = {0};
    for (size_t i = 0; i < n; i++) {
        has0.counts[y[i] >= 0][p[i] >= 0]++;
        if (y[i] != 0)
            non0.counts[y[i] > 0][p[i] > 0]++;
    }
    values[0] = accuracy(&has0);
    values[1] = weighted_f1(&has0);
    values[2] = accuracy(&non0);
    values[3] = weighted_f1(&non0);
    values[4] = share(p, y, n, 5, same_mosi_class);
    values[5] = share(p, y, n, 7, same_mosi_class);
    values[6] = mean_absolute_error(p, y, n, INFINITY);
    values[7] = correlation(p, y, n, INFINITY);
}

static bool same_sims_class(float p, float y, int classes)
{
    return sims_class(clip(p, 1), classes) == sims_class(clip(y, 1), classes);
}

static void sims_metrics(double *values, const float *p, const float *y, size_t n)
{
    struct confusion two = {0};
    for (size_t i = 0; i < n; i++) {
        int truth = sims_class(y[i], 2);
        two.counts[truth][same_sims_class(p[i], y[i], 2) ? truth : !truth]++;
    }
    values[0] = accuracy(&two);
    values[1] = weighted_f1(&two);
    values[2] = share(p, y, n, 3, same_sims_class);
    values[3] = share(p, y, n, 5, same_sims_class);
    values[4] = mean_absolute_error(p, y, n, 1);
    values[5] = correlation(p, y, n, 1);
}

size_t metrics_nonfinite(const float *x, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !isfinite(x[i]);
    return count;
}

void metrics_compute(double values[METRICS_MAX], const float *prediction, const float *label,
                     size_t n, enum family family)
{
    if (metrics_nonfinite(prediction, n) || metrics_nonfinite(label, n))
        for (int i = 0; i < METRICS_MAX; i++)
            values[i] = NAN;
    else if (family == FAMILY_SIMS)
        sims_metrics(values, prediction, label, n);
    else
        mosi_metrics(values, prediction, label, n);
}
