/* The random numbers of dropout: known answers, rates, independence. (That each kernel's masks are
 * those of kernels.h, forward and backward: kernels.c.) */
#include "kernels/cpu/philox.h"
#include "kernels/philox.h"
#include "tests/unit/devices.h"

/* The authors' known answers (Random123, kat_vectors). */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        const uint32_t *k = known[i];
        uint32_t one[4];
        uint16_t many[8 * PHILOX_COUNTERS], lanes[8];
        philox4x32(one, k, k + 4);
        assert_memory_equal(one, k + 6, sizeof one);
        philox(many, (uint64_t)k[1] << 32 | k[0], k[2], k[3], (uint64_t)k[5] << 32 | k[4]);
        memcpy(lanes, k + 6, sizeof lanes);
        assert_memory_equal(many, lanes, sizeof lanes);
    }
}

/* Across the border of the counter's halves too. */
static void philox_of_many_is_that_of_each(void **state)
{
    (void)state;
    uint64_t first = 0xfffffffe;
    uint16_t many[8 * PHILOX_COUNTERS];
    philox(many, first, 3, 4, 0x0000000600000005);
    for (size_t i = 0; i < PHILOX_COUNTERS; i++) {
        uint64_t at = first + i;
        uint32_t one[4];
        philox4x32(one, (uint32_t[4]){(uint32_t)at, (uint32_t)(at >> 32), 3, 4},
                   (uint32_t[2]){5, 6});
        assert_memory_equal(many + 8 * i, one, sizeof one);
    }
}

enum { MANY = 400000 };

/* y[MANY] = 1 through the dropout, as the gradient of tanh at 0 */
static float *dropped(struct device *d, const struct dropout *drop)
{
    float *x = d->allocate(d, MANY * sizeof *x), *dy = d->allocate(d, MANY * sizeof *x);
    float *dx = d->allocate(d, MANY * sizeof *x), *host = malloc(MANY * sizeof *host);
    d->k.fill(d, x, 0, MANY);
    d->k.fill(d, dy, 1, MANY);
    d->k.tanh_backward(d, dx, dy, x, MANY, drop, false);
    fetch(d, host, dx, MANY);
    d->release(d, x);
    d->release(d, dy);
    return host;
}

static size_t count_zeros(const float *x, size_t n)
{
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++)
        zeros += x[i] == 0;
    return zeros;
}

static void check_rate(struct device *d, float rate)
{
    float *x = dropped(d, &(struct dropout){rate, 99, 1, 2});
    double zeros = (double)count_zeros(x, MANY), expected = (double)rate * MANY;
    assert_true(fabs(zeros - expected) <= 4 * sqrt(expected * (1 - (double)rate)));
    for (size_t i = 0; i < MANY; i++)
        assert_true(x[i] == 0 || fabsf(x[i] - 1 / (1 - rate)) < 1e-4f);
    free(x);
}

static void check_rates(struct device *d)
{
    check_rate(d, 0);
    check_rate(d, .1f);
    check_rate(d, .5f);
    check_rate(d, 1);
}

static void dropout_keeps_its_rate(void **state)
{
    (void)state;
    with_devices(check_rates);
}

/* Masks of another step, site or seed agree with the first as often as coins do. */
static void check_independence(struct device *d)
{
    static const struct dropout others[] = {
        {.5f, 99, 2, 2}, {.5f, 99, 1, 3}, {.5f, 98, 1, 2}, {.5f, 99 | 1ull << 40, 1, 2}};
    float *x = dropped(d, &(struct dropout){.5f, 99, 1, 2});
    for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
        float *y = dropped(d, others + o);
        size_t same = 0;
        for (size_t i = 0; i < MANY; i++)
            same += x[i] == y[i];
        assert_true(fabs((double)same - MANY / 2) <= 4 * sqrt(MANY / 4));
        free(y);
    }
    free(x);
}

static void dropout_depends_on_step_site_and_seed(void **state)
{
    (void)state;
    with_devices(check_independence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(philox_of_many_is_that_of_each),
        cmocka_unit_test(dropout_keeps_its_rate),
        cmocka_unit_test(dropout_depends_on_step_site_and_seed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
