/* Attention's probabilities where scores are far apart, against sums in double: down to where a
 * float has no such small number, and beyond, where the kernels' own exponentials must be 0. */
#include "tests/unit/devices.h"

enum { POINTS = 20001 };

/* Sample i has one query and two keys, of scores 0 and x; its values are 0 and 1. */
static float score(size_t i)
{
    return -120 + 120 * (float)i / (POINTS - 1);
}

static void two_keys(struct device *d)
{
    float *k = calloc(2 * POINTS, sizeof *k), *v = calloc(2 * POINTS, sizeof *v);
    float *ones = malloc(POINTS * sizeof *ones);
    for (size_t i = 0; i < POINTS; i++) {
        k[2 * i + 1] = score(i);
        v[2 * i + 1] = ones[i] = 1;
    }
    float *dk = place(d, k, 2 * POINTS), *dv = place(d, v, 2 * POINTS),
          *dq = place(d, ones, POINTS);
    float *y = place(d, ones, POINTS), *lse = place(d, ones, POINTS);
    struct attention shape = {.heads = 1,
                              .size = 1,
                              .queries = {POINTS, 1, NULL, NULL},
                              .keys = {POINTS, 2, NULL, NULL},
                              .q_stride = 1,
                              .k_stride = 1,
                              .v_stride = 1};
    d->k.attention_forward(d, y, lse, dq, dk, dv, &shape, NULL);
    fetch(d, ones, y, POINTS);
    fetch(d, v, lse, POINTS);
    for (size_t i = 0; i < POINTS; i++) {
        double e = exp((double)score(i)), p = e / (1 + e);
        if (!(fabs(ones[i] - p) <= 4e-7 * p) && !(p < 3e-38 && ones[i] >= 0 && ones[i] <= 3e-38f))
            fail_msg("%s: probability of score %g: %.9g, expected %.9g", d->name, (double)score(i),
                     (double)ones[i], p);
        if (!(fabs(v[i] - log1p(e)) <= 1e-7 + 1e-7 * log1p(e)))
            fail_msg("%s: lse beside score %g: %.9g, expected %.9g", d->name, (double)score(i),
                     (double)v[i], log1p(e));
    }
    float *const all[] = {dk, dv, dq};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        d->release(d, all[i]);
    free(k), free(v), free(ones);
}

static void far_apart(void **state)
{
    (void)state;
    with_devices(two_keys);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(far_apart),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
