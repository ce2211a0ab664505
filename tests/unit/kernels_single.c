/* Kernels that have no backward pass, slopes where there is no derivative, and what all kernels do
 * with numbers that are none. (The others: kernels.c.) */
#include "tests/unit/devices.h"

enum { ODD = 40003 };

static float number(size_t i)
{
    return (float)((i * 2654435761u >> 7) % 2001) / 1000 - 1;
}

static float *numbers(size_t n, size_t from)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = number(from + i);
    return x;
}

static void check_fill(struct device *d)
{
    float *x = numbers(ODD, 0), *filled = malloc(ODD * sizeof *filled);
    float *on_x = place(d, x, ODD);
    d->k.fill(d, on_x, 3, ODD - 1);
    fetch(d, filled, on_x, ODD);
    for (size_t i = 0; i < ODD - 1; i++)
        assert_true(filled[i] == 3);
    assert_true(filled[ODD - 1] == x[ODD - 1]);
    free(x);
    free(filled);
}

static void fill(void **state)
{
    (void)state;
    with_devices(check_fill);
}

static void check_clip(struct device *d)
{
    float *x = numbers(ODD, 0), *clipped = malloc(ODD * sizeof *clipped);
    x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[3] = -0.f;
    float *on_x = place(d, x, ODD);
    d->k.clip(d, on_x, .25f, ODD - 1);
    fetch(d, clipped, on_x, ODD);
    assert_true(isnan(clipped[0]) && clipped[1] == .25f && clipped[2] == -.25f);
    for (size_t i = 3; i < ODD - 1; i++)
        assert_true(clipped[i] == fmaxf(-.25f, fminf(x[i], .25f)));
    assert_true(clipped[ODD - 1] == x[ODD - 1]);
    free(x);
    free(clipped);
}

static void clip(void **state)
{
    (void)state;
    with_devices(check_clip);
}

/* At their corners the slopes of relu and of limits are those that PyTorch takes: 0 at 0, and 1 at
 * the limits. */
static void check_corners(struct device *d)
{
    enum { COUNT = 5 };
    const float x[COUNT] = {-1, -.5f, 0, .5f, 1}, dy[COUNT] = {2, 3, 4, 5, 6};
    const float by_relu[COUNT] = {0, 0, 0, 5, 6}, by_limits[COUNT] = {0, 3, 4, 5, 0};
    float *on_x = place(d, x, COUNT), *on_dy = place(d, dy, COUNT), dx[COUNT];
    float *relu = place(d, x, COUNT), *limits = place(d, x, COUNT);
    d->k.relu_backward(d, relu, on_dy, on_x, COUNT, NULL, false);
    d->k.affine_backward(d, limits, on_dy, on_x, COUNT, 1, 0, -.5f, .5f, false);
    fetch(d, dx, relu, COUNT);
    assert_memory_equal(dx, by_relu, sizeof dx);
    fetch(d, dx, limits, COUNT);
    assert_memory_equal(dx, by_limits, sizeof dx);
    d->release(d, on_x);
    d->release(d, on_dy);
}

static void slopes_at_corners(void **state)
{
    (void)state;
    with_devices(check_corners);
}

/* Sample 0: frame 0 all zero, frame 1 cancels out, frame 2 does not; sample 1: frame 2 zero. */
static void check_padding(struct device *d)
{
    static const float frames[2 * 3 * 2] = {0, 0, 1, -1, 1, -.5f, 1, 2, 3, 4, 0, 0},
                                      mean[] = {1, 2}, scale[] = {2, .5f};
    static const uint8_t expected[2 * 4] = {0, 0, 1, 0, 0, 0, 0, 1};
    float y[12], *x = place(d, frames, 12), *on_mean = place(d, mean, 2),
                 *on_scale = place(d, scale, 2);
    uint8_t *pad = d->allocate(d, 8), back[8];
    d->k.padding_mask(d, pad, x, 2, 3, 2);
    take(d, back, pad, 8);
    assert_memory_equal(back, expected, 8);
    d->k.standardize(d, x, x, pad, on_mean, on_scale, 2, 3, 2);
    fetch(d, y, x, 12);
    for (size_t i = 0; i < 12; i++) {
        bool padding = expected[i / 6 * 4 + 1 + i / 2 % 3];
        assert_true(y[i] == (padding ? frames[i] : (frames[i] - mean[i % 2]) * scale[i % 2]));
    }
    d->release(d, pad);
    d->release(d, on_mean);
    d->release(d, on_scale);
}

/* Frame t, from 1, of five channels: sines and cosines of t and t/10000, and a 0. The second sample
 * has padding: its first channel is 0, whatever the others are. */
static void check_sinusoids(struct device *d)
{
    enum { FRAMES = 500, DIM = 5 };
    float *x = numbers(2 * FRAMES * DIM, 1), *p = malloc(2 * FRAMES * DIM * sizeof *p);
    for (size_t i = 0; i < 2 * FRAMES; i++)
        x[i * DIM] = i == FRAMES + 7 ? 0 : 1;
    float *on_x = place(d, x, 2 * FRAMES * DIM), *on_p = place(d, x, 2 * FRAMES * DIM);
    d->k.sinusoids(d, on_p, on_x, 2, FRAMES, DIM);
    fetch(d, p, on_p, 2 * FRAMES * DIM);
    for (size_t i = 0; i < 2 * FRAMES; i++) {
        double t = (double)(i % FRAMES) + 1;
        double want[DIM] = {sin(t), sin(t / 10000), cos(t), cos(t / 10000), 0};
        for (size_t k = 0; k < DIM; k++)
            assert_float_equal(p[i * DIM + k], i == FRAMES + 7 ? 0 : want[k], 1e-6);
    }
    d->release(d, on_x);
    free(x);
    free(p);
}

static void positions_by_sinusoids(void **state)
{
    (void)state;
    with_devices(check_sinusoids);
}

static void padding_is_found_and_left_alone(void **state)
{
    (void)state;
    with_devices(check_padding);
}

/* --- three optimizer steps on two parameters against the formulas of table.def, in double */

static const struct update constants = {.l2 = .1f,
                                        .new1 = .1f,
                                        .old2 = .99f,
                                        .new2 = .01f,
                                        .root = .5f,
                                        .eps = 1e-3f,
                                        .before = .9f,
                                        .after = .95f,
                                        .momentum = .8f,
                                        .step = .02f};

/* What becomes of number(i) with the slopes number(i + 7), number(i + 8), number(i + 9). */
static double expected_adam(size_t i, bool amsgrad)
{
    const struct update *u = &constants;
    double p = (double)number(i), m = 0, v = 0, most = 0;
    for (size_t t = 0; t < 3; t++) {
        double slope = (double)number(i + 7 + t) + (double)u->l2 * p;
        m += (double)u->new1 * (slope - m);
        v = (double)u->old2 * v + (double)u->new2 * slope * slope;
        most = fmax(most, v);
        double size = sqrt(amsgrad ? most : v) / (double)u->root + (double)u->eps;
        p = ((double)u->before * p - (double)u->step * m / size) * (double)u->after;
    }
    return p;
}

static double expected_sgd(size_t i, bool momentum)
{
    const struct update *u = &constants;
    double p = (double)number(i), buffer = 0;
    for (size_t t = 0; t < 3; t++) {
        double slope = (double)number(i + 7 + t) + (double)u->l2 * p;
        buffer = momentum ? (double)u->momentum * buffer + slope : slope;
        p -= (double)u->step * buffer;
    }
    return p;
}

static struct update begin(struct device *d, size_t n, bool second, unsigned moments)
{
    struct update u = constants;
    float *start = numbers(n, second);
    u.n = n;
    u.p = place(d, start, n);
    u.g = d->allocate(d, n * sizeof *u.g);
    for (int k = 0; k < MOMENTS; k++) {
        if (!(moments >> k & 1))
            continue;
        u.moments[k] = d->allocate(d, n * sizeof(float));
        d->k.fill(d, u.moments[k], 0, n);
    }
    free(start);
    return u;
}

static void check_steps(struct device *d,
                        void (*step)(struct device *d, const struct update *all, size_t count),
                        unsigned moments, double (*expected)(size_t i, bool more), bool more)
{
    static const size_t sizes[] = {ODD, 3};
    static float p[ODD];
    struct update all[] = {begin(d, sizes[0], 0, moments), begin(d, sizes[1], 1, moments)};
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < 2; i++) {
            float *slopes = numbers(sizes[i], i + 7 + t);
            d->copy_in(d, (float *)all[i].g, slopes, sizes[i] * sizeof *slopes);
            free(slopes);
        }
        step(d, all, 2);
    }
    for (size_t i = 0; i < 2; i++) {
        fetch(d, p, all[i].p, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_true(fabs((double)p[j] - expected(i + j, more)) <= 1e-6);
        d->release(d, (float *)all[i].g);
        for (int k = 0; k < MOMENTS; k++)
            d->release(d, all[i].moments[k]);
    }
}

static void check_optimizers(struct device *d)
{
    unsigned both = 1 << MOMENT_FIRST | 1 << MOMENT_SECOND;
    check_steps(d, d->k.adam, both, expected_adam, false);
    check_steps(d, d->k.adam, both | 1 << MOMENT_MOST, expected_adam, true);
    check_steps(d, d->k.sgd, 0, expected_sgd, false);
    check_steps(d, d->k.sgd, 1 << MOMENT_BUFFER, expected_sgd, true);
}

static void optimizer_steps(void **state)
{
    (void)state;
    with_devices(check_optimizers);
}

/* --- what is not a number stays that */

/* Element 20 of x[33] alone is none. */
static void check_elementwise(struct device *d,
                              void (*forward)(struct device *d, float *y, const float *x, size_t n,
                                              const struct dropout *drop),
                              const float *x)
{
    float y[33], *on_y = d->allocate(d, sizeof y);
    forward(d, on_y, x, 33, NULL);
    fetch(d, y, on_y, 33);
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(isnan(y[i]) != 0, i == 20);
}

static void clamp(struct device *d, float *y, const float *x, size_t n, const struct dropout *drop)
{
    (void)drop;
    d->k.affine_forward(d, y, x, n, 1, 0, -.5f, .5f);
}

static void check_propagation(struct device *d)
{
    float x[33], y[33], mean, rstd;
    for (size_t i = 0; i < 33; i++)
        x[i] = number(i);
    x[20] = NAN;
    float *on_x = place(d, x, 33), *on_y = d->allocate(d, sizeof y), *gain = place(d, x, 33);
    check_elementwise(d, d->k.gelu_forward, on_x);
    check_elementwise(d, d->k.relu_forward, on_x);
    check_elementwise(d, d->k.sigmoid_forward, on_x);
    check_elementwise(d, clamp, on_x);
    float *on_mean = place(d, &mean, 1), *on_rstd = place(d, &rstd, 1);
    d->k.fill(d, gain, 1, 33);
    d->k.softmax_forward(d, on_y, on_x, 3, 11);
    take(d, y, on_y, sizeof y);
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(isnan(y[i]) != 0, i / 11 == 1);
    d->k.norm_forward(d, on_y, NULL, on_mean, on_rstd, on_x, NULL, gain, gain, 1, 33, 1e-5f, NULL);
    fetch(d, y, on_y, 33);
    for (size_t i = 0; i < 33; i++)
        assert_true(isnan(y[i]));
    d->release(d, on_x);
    d->release(d, gain);
    d->release(d, on_mean);
    d->release(d, on_rstd);
}

/* Attention of three positions, one head of width 1: a query, and then a value, that is not a
 * number. */
static void check_attention(struct device *d)
{
    uint8_t *pad = d->allocate(d, 3);
    d->copy_in(d, pad, (uint8_t[3]){0}, 3);
    for (int part = 0; part < 3; part += 2) {
        float y[3], qkv[9] = {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f};
        qkv[3 + part] = NAN;
        float *on_qkv = place(d, qkv, 9), *on_y = d->allocate(d, sizeof y),
              *lse = d->allocate(d, sizeof y);
        struct sequences rows = {1, 3, pad, NULL};
        struct attention shape = {1, 1, rows, rows, 3, 3, 3, .masked = false};
        d->k.attention_forward(d, on_y, lse, on_qkv, on_qkv + 1, on_qkv + 2, &shape, NULL);
        fetch(d, y, on_y, 3);
        assert_true(isnan(y[1]));
        assert_int_equal(isnan(y[0]) != 0, part == 2);
        assert_int_equal(isnan(y[2]) != 0, part == 2);
        d->release(d, on_qkv);
        d->release(d, lse);
    }
    d->release(d, pad);
}

/* … but what is to become a number does, and has no slope; infinity is one. */
static void check_number(struct device *d)
{
    enum { COUNT = 35 };
    float x[COUNT], dy[COUNT], y[COUNT], dx[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        x[i] = number(i), dy[i] = number(i + COUNT), dx[i] = 1;
    x[20] = NAN, x[33] = -NAN, x[34] = INFINITY;
    float *on_x = place(d, x, COUNT), *on_dy = place(d, dy, COUNT), *on_dx = place(d, dx, COUNT),
          *on_y = place(d, x, COUNT);
    d->k.number_forward(d, on_y, on_x, COUNT);
    fetch(d, y, on_y, COUNT);
    d->k.number_backward(d, on_dx, on_dy, on_x, COUNT, true);
    take(d, dx, on_dx, sizeof dx);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(y[i] == (isnan(x[i]) ? 0 : x[i]));
        assert_true(dx[i] == 1 + (isnan(x[i]) ? 0 : dy[i]));
    }
    d->k.number_backward(d, on_dx, on_dy, on_x, COUNT, false);
    fetch(d, dx, on_dx, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(dx[i] == (isnan(x[i]) ? 0 : dy[i]));
    d->release(d, on_x);
    d->release(d, on_dy);
}

static void nan_propagates(void **state)
{
    (void)state;
    with_devices(check_propagation);
    with_devices(check_attention);
    with_devices(check_number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill),
        cmocka_unit_test(clip),
        cmocka_unit_test(slopes_at_corners),
        cmocka_unit_test(padding_is_found_and_left_alone),
        cmocka_unit_test(positions_by_sinusoids),
        cmocka_unit_test(optimizer_steps),
        cmocka_unit_test(nan_propagates),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
