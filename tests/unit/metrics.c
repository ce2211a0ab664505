/* Metrics and classes against the golden values of msa-model(7), Metrics, and where they are
 * undefined. */
#include "common/metrics/metrics.h"
#include "common/metrics/tasks.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 10 };

static double metric(const char *key, const float *p, const float *y, size_t n, enum family family)
{
    double values[METRICS_MAX];
    const char *const *keys = metrics_keys(family);
    metrics_compute(values, p, y, n, family);
    for (size_t i = 0; keys[i]; i++)
        if (strcmp(keys[i], key) == 0)
            return values[i];
    fail_msg("no key '%s'", key);
    return NAN;
}

static void near(double found, double want)
{
    if (!(fabs(found - want) < 1e-6))
        fail_msg("%.9g but expected %.9g", found, want);
}

static void golden_mosi(void **state)
{
    (void)state;
    const float y[N] = {-3, -1.8f, -.6f, 0, 0, .4f, 1, 1.6f, 2.4f, 3};
    const float p[N] = {-2.6f, -.5f, .2f, -.1f, .3f, .5f, 1.5f, 2.5f, 2.2f, 3.7f};
    near(metric("acc7", p, y, N, FAMILY_MOSI), .7);
    near(metric("acc5", p, y, N, FAMILY_MOSI), .7);
    near(metric("mae", p, y, N, FAMILY_MOSI), .53);
    near(metric("corr", p, y, N, FAMILY_MOSI), .966637);
    near(metric("acc2_non0", p, y, N, FAMILY_MOSI), .875);
    near(metric("f1_non0", p, y, N, FAMILY_MOSI), .868182);
    near(metric("acc2_has0", p, y, N, FAMILY_MOSI), .8);
    near(metric("f1_has0", p, y, N, FAMILY_MOSI), .8);
}

static void golden_sims(void **state)
{
    (void)state;
    const float y[N] = {-1, -.8f, -.6f, -.2f, 0, 0, .2f, .6f, .8f, 1};
    const float p[N] = {-1.4f, -.6f, -.05f, -.15f, .05f, -.2f, .3f, .9f, .65f, 1.2f};
    near(metric("acc2", p, y, N, FAMILY_SIMS), .9);
    near(metric("f1", p, y, N, FAMILY_SIMS), .90101);
    near(metric("acc3", p, y, N, FAMILY_SIMS), .8);
    near(metric("acc5", p, y, N, FAMILY_SIMS), .5);
    near(metric("mae", p, y, N, FAMILY_SIMS), .16);
    near(metric("corr", p, y, N, FAMILY_SIMS), .94597);
}

static void keys(void **state)
{
    static const char *const sims[] = {"acc2", "f1", "acc3", "acc5", "mae", "corr"};
    static const char *const mosi[] = {"acc2_has0", "f1_has0", "acc2_non0", "f1_non0",
                                       "acc5",      "acc7",    "mae",       "corr"};
    (void)state;
    for (int i = 0; i < 6; i++)
        assert_string_equal(metrics_keys(FAMILY_SIMS)[i], sims[i]);
    for (int i = 0; i < 8; i++)
        assert_string_equal(metrics_keys(FAMILY_MOSI)[i], mosi[i]);
    assert_null(metrics_keys(FAMILY_SIMS)[6]);
    assert_null(metrics_keys(FAMILY_MOSI)[8]);
    assert_true(metrics_smaller_is_better("mae"));
    assert_false(metrics_smaller_is_better("corr"));
    assert_false(metrics_smaller_is_better("acc2_non0"));
}

/* Else one column would be both. */
static void no_task_is_called_as_a_metric(void **state)
{
    (void)state;
    assert_false(task_may_be_called("acc3"));
    assert_false(task_may_be_called("f1_non0"));
    assert_false(task_may_be_called("loss"));
    assert_false(task_may_be_called("w_msr"));
    assert_true(task_may_be_called("w"));
    assert_true(task_may_be_called("maes"));
}

static void constant_sides(void **state)
{
    const float moving[] = {-.1f, .1f, .3f}, still[] = {.1f, .1f, .1f}, far[] = {1.5f, 2, 3};
    (void)state;
    assert_true(isnan(metric("corr", still, moving, 3, FAMILY_MOSI)));
    assert_true(isnan(metric("corr", moving, still, 3, FAMILY_MOSI)));
    near(metric("corr", moving, moving, 3, FAMILY_MOSI), 1);
    near(metric("corr", far, moving, 3, FAMILY_MOSI), .981980506);
    assert_true(isnan(metric("corr", far, moving, 3, FAMILY_SIMS))); /* constant once clipped */
    near(metric("mae", far, moving, 3, FAMILY_SIMS), .9);
}

static void no_samples(void **state)
{
    const float none[] = {0}, zero[] = {0, 0}, some[] = {1, -1};
    double values[METRICS_MAX];
    (void)state;
    metrics_compute(values, none, none, 0, FAMILY_SIMS);
    for (int i = 0; i < 6; i++)
        assert_true(i == 1 ? values[i] == 0 : isnan(values[i]));
    assert_true(isnan(metric("corr", none, none, 0, FAMILY_MOSI)));
    assert_true(
        isnan(metric("acc2_non0", some, zero, 2, FAMILY_MOSI))); /* all labels are dropped */
    assert_true(metric("f1_non0", some, zero, 2, FAMILY_MOSI) == 0);
    near(metric("acc2_has0", some, zero, 2, FAMILY_MOSI), .5);
}

/* A class that is never predicted has an F1 of 0; -0 is 0. */
static void one_class(void **state)
{
    const float y[] = {1, 1, 1, -1}, p[] = {1, 2, 3, 1}, zero[] = {-0.0f, -0.0f, 0, 0};
    (void)state;
    near(metric("f1_has0", p, y, 4, FAMILY_MOSI), .75 * 6 / 7);
    near(metric("f1_non0", p, y, 4, FAMILY_MOSI), .75 * 6 / 7);
    near(metric("acc2_has0", zero, zero, 4, FAMILY_MOSI), 1);
    near(metric("acc2", zero, zero, 4, FAMILY_SIMS), 1);
}

static void halves_to_even(void **state)
{
    const float y[] = {.5f, 1.5f, 2.5f, -2.5f, -.5f, 3}, p[] = {0, 2, 2, -2, 0, 2.5f};
    (void)state;
    near(metric("acc7", p, y, 6, FAMILY_MOSI), 5. / 6);
    near(metric("acc5", p, y, 6, FAMILY_MOSI), 1);
}

/* One is enough, on either side, for all of them. */
static void not_finite(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY}, good[] = {-.4f, 0, .4f};
    (void)state;
    for (int i = 0; i < 6; i++)
        for (int family = 0; family < FAMILIES; family++) {
            double values[METRICS_MAX];
            float side[] = {-.4f, 0, .4f};
            side[i % 3] = bad[i % 3];
            metrics_compute(values, i < 3 ? side : good, i < 3 ? good : side, 3,
                            (enum family)family);
            for (int k = 0; metrics_keys((enum family)family)[k]; k++)
                assert_true(isnan(values[k]));
            assert_int_equal(metrics_nonfinite(side, 3), 1);
        }
    assert_int_equal(metrics_nonfinite(bad, 3), 3);
    assert_int_equal(metrics_nonfinite(good, 3), 0);
}

struct edge {
    float label;
    int class;
};

static void check_edges(const struct edge *edges, size_t n, int classes, enum family family)
{
    for (size_t i = 0; i < n; i++)
        if (label_class(edges[i].label, classes, family) != edges[i].class)
            fail_msg("label %.9g of %d classes is in %d but expected %d", (double)edges[i].label,
                     classes, label_class(edges[i].label, classes, family), edges[i].class);
}

#define CHECK(classes, family, ...)                                                                \
    do {                                                                                           \
        const struct edge edges[] = {__VA_ARGS__};                                                 \
        check_edges(edges, sizeof edges / sizeof *edges, classes, family);                         \
    } while (0)

static void sims_classes(void **state)
{
    (void)state;
    CHECK(2, FAMILY_SIMS, {-1, 0}, {-0.0f, 0}, {0, 0}, {1e-30f, 1}, {1, 1});
    CHECK(3, FAMILY_SIMS, {-1, 0}, {-.1f, 0}, {nextafterf(-.1f, 1), 1}, {0, 1}, {.1f, 1},
          {nextafterf(.1f, 1), 2}, {1, 2});
    CHECK(5, FAMILY_SIMS, {-1, 0}, {-.7f, 0}, {nextafterf(-.7f, 1), 1}, {-.1f, 1}, {0, 2}, {.1f, 2},
          {.7f, 3}, {nextafterf(.7f, 1), 4}, {1, 4});
    assert_int_equal(label_class(0, 7, FAMILY_SIMS), -1);
    assert_int_equal(label_class(NAN, 3, FAMILY_SIMS), -1);
}

static void mosi_classes(void **state)
{
    (void)state;
    CHECK(2, FAMILY_MOSI, {-3, 0}, {-1e-30f, 0}, {-0.0f, 1}, {0, 1}, {3, 1});
    CHECK(3, FAMILY_MOSI, {-3, 0}, {nextafterf(-.5f, -1), 0}, {-.5f, 1}, {0, 1},
          {nextafterf(.5f, 0), 1}, {.5f, 1}, {nextafterf(.5f, 1), 2}, {3, 2});
    CHECK(5, FAMILY_MOSI, {-3, 0}, {nextafterf(-1.5f, -2), 0}, {-1.5f, 1}, {.5f, 2},
          {nextafterf(1.5f, 0), 3}, {1.5f, 4}, {3, 4});
    CHECK(7, FAMILY_MOSI, {-3, 0}, {-2.5f, 1}, {-1.5f, 2}, {-.5f, 3}, {.5f, 3}, {.6f, 4}, {1.5f, 5},
          {2.5f, 6}, {3, 6});
    assert_int_equal(label_class(0, 4, FAMILY_MOSI), -1);
    assert_int_equal(label_class(NAN, 7, FAMILY_MOSI), -1);
}

static void class_names(void **state)
{
    (void)state;
    assert_string_equal(class_name(0, 5, FAMILY_SIMS), "negative");
    assert_string_equal(class_name(0, 7, FAMILY_MOSI), "-3");
    assert_string_equal(class_name(4, 5, FAMILY_MOSI), "2");
    assert_null(class_name(0, 7, FAMILY_SIMS));
    assert_null(class_name(0, 4, FAMILY_MOSI));
    assert_null(class_name(3, 3, FAMILY_MOSI));
    assert_null(class_name(-1, 3, FAMILY_MOSI));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_mosi),    cmocka_unit_test(golden_sims),
        cmocka_unit_test(keys),           cmocka_unit_test(no_samples),
        cmocka_unit_test(constant_sides), cmocka_unit_test(one_class),
        cmocka_unit_test(sims_classes),   cmocka_unit_test(halves_to_even),
        cmocka_unit_test(mosi_classes),   cmocka_unit_test(not_finite),
        cmocka_unit_test(class_names),    cmocka_unit_test(no_task_is_called_as_a_metric),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
