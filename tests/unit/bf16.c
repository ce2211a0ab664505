/* Linear layers on the CPU in bfloat16: sums in double of factors that are rounded to 8 bits, for
 * odd sizes, with what is added to; small products are exact; and what a processor without it
 * says. */
#include "kernels/philox.h"
#include "tests/unit/devices.h"

enum { ROWS = 131, IN = 77, OUT = 65, MOST = ROWS * IN };

static bool possible(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

/* The number of 8 bits that is nearest, of two the even one. */
static double rounded(float x)
{
    int power;
    double part = frexp((double)x, &power);
    return ldexp(nearbyint(ldexp(part, 8)), power - 8);
}

static void draw(float *x, size_t n, uint32_t stream)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t out[4];
        philox4x32(out, (uint32_t[4]){(uint32_t)i, 0, stream, 0}, (uint32_t[2]){5, 7});
        x[i] = (float)(int32_t)out[0] / 2147483648.0f;
    }
}

struct matrix {
    const float *x;
    size_t row, column;
};

/* c[m,n] = a[m,k] b[k,n] + what is there and bias[n], within float32's error of sums */
static void check(const char *what, const float *c, struct matrix a, struct matrix b, size_t m,
                  size_t n, size_t k, const float *there, const float *bias)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double before = (there ? (double)there[i * n + j] : 0) + (bias ? (double)bias[j] : 0);
            double sum = before, size = fabs(before);
            for (size_t l = 0; l < k; l++) {
                double term =
                    rounded(a.x[i * a.row + l * a.column]) * rounded(b.x[l * b.row + j * b.column]);
                sum += term, size += fabs(term);
            }
            if (!(fabs((double)c[i * n + j] - sum) <= 1e-6 * size))
                fail_msg("%s [%zu,%zu]: %.9g, expected %.9g", what, i, j, (double)c[i * n + j],
                         sum);
        }
}

static struct device *bf16_device(struct msa *m)
{
    m->common.device = m->settings;
    m->common.precision = PRECISION_BF16;
    return device_of_run(m);
}

static void layer(struct msa *m)
{
    static float x[ROWS * IN], w[OUT * IN], b[OUT], dy[ROWS * OUT], dx[ROWS * IN], dw[OUT * IN];
    static float y[ROWS * OUT], new_dx[ROWS * IN], new_dw[OUT * IN];
    float *const all[] = {x, w, b, dy, dx, dw};
    static const size_t sizes[] = {ROWS * IN, OUT * IN, OUT, ROWS * OUT, ROWS * IN, OUT * IN};
    float *on[6];
    struct device *d = bf16_device(m);
    assert_non_null(strstr(d->name, ":bf16"));
    for (uint32_t i = 0; i < 6; i++) {
        draw(all[i], sizes[i], i);
        on[i] = place(d, all[i], sizes[i]);
    }
    float *on_y = place(d, y, ROWS * OUT);
    d->k.linear_forward(d, on_y, on[0], on[1], on[2], ROWS, IN, OUT);
    take(d, y, on_y, sizeof y);
    check("y", y, (struct matrix){x, IN, 1}, (struct matrix){w, 1, IN}, ROWS, OUT, IN, NULL, b);
    d->k.linear_forward(d, on_y, on[0], on[1], NULL, ROWS, IN, OUT);
    fetch(d, y, on_y, ROWS * OUT);
    check("y without b", y, (struct matrix){x, IN, 1}, (struct matrix){w, 1, IN}, ROWS, OUT, IN,
          NULL, NULL);
    for (int add = 0; add < 2; add++) {
        d->copy_in(d, on[4], dx, sizeof dx);
        d->copy_in(d, on[5], dw, sizeof dw);
        d->k.linear_backward(d, on[4], on[5], NULL, on[3], on[0], on[1], ROWS, IN, OUT, add);
        take(d, new_dx, on[4], sizeof dx);
        take(d, new_dw, on[5], sizeof dw);
        check("dx", new_dx, (struct matrix){dy, OUT, 1}, (struct matrix){w, IN, 1}, ROWS, IN, OUT,
              add ? dx : NULL, NULL);
        check("dw", new_dw, (struct matrix){dy, 1, OUT}, (struct matrix){x, IN, 1}, OUT, IN, ROWS,
              dw, NULL);
    }
    d->k.linear_backward(d, on[4], NULL, NULL, on[3], on[0], on[1], ROWS, IN, OUT, false);
    d->k.linear_backward(d, NULL, on[5], NULL, on[3], on[0], on[1], ROWS, IN, OUT, false);
    for (size_t i = 0; i < 6; i++)
        d->release(d, on[i]);
    device_wait(m, d);
}

/* Halfway between two, beyond the greatest, and what is no number. */
static void roundings(struct msa *m)
{
    enum { N = 128 };
    static const float given[] = {1.00390625f,    1.01171875f, 1.00390637f, 3.4e38f,
                                  3.38953139e38f, INFINITY,    -INFINITY,   1e-40f};
    static const float expected[] = {1,        1.015625f, 1.0078125f, INFINITY, 3.38953139e38f,
                                     INFINITY, -INFINITY, 0};
    static float x[N * N], w[N * N], y[N * N];
    struct device *d = bf16_device(m);
    for (size_t i = 0; i < N; i++) {
        x[i * N] = given[i % 8];
        w[i * N] = 1;
    }
    x[8 * N] = NAN;
    float *on_x = place(d, x, N * N), *on_w = place(d, w, N * N), *on_y = place(d, y, N * N);
    d->k.linear_forward(d, on_y, on_x, on_w, NULL, N, N, N);
    fetch(d, y, on_y, N * N);
    for (size_t i = 0; i < N; i++)
        if (i == 8 ? !isnan(y[i * N]) : fabsf(y[i * N] - expected[i % 8]) > 1e-38f)
            fail_msg("%.9g rounded to %.9g, expected %.9g", (double)x[i * N], (double)y[i * N],
                     (double)expected[i % 8]);
    d->release(d, on_x);
    d->release(d, on_w);
}

static void small(struct msa *m)
{
    static const float x = 1.0009765625f, one = 1;
    struct device *d = bf16_device(m);
    float *on_x = place(d, &x, 1), *on_w = place(d, &one, 1), *on_y = place(d, &one, 1), y;
    d->k.linear_forward(d, on_y, on_x, on_w, NULL, 1, 1, 1);
    fetch(d, &y, on_y, 1);
    assert_memory_equal(&y, &x, sizeof y);
    d->release(d, on_x);
    d->release(d, on_w);
}

static void run_on_cpu(void (*body)(struct msa *m))
{
    if (possible())
        for (size_t i = 0; i < DEVICES; i++) {
            struct msa m = {.program = "devices", .settings = (void *)device_names[i]};
            if (strncmp(device_names[i], "cpu:", 4) == 0 && device_tested(device_names[i]) &&
                msa_run(&m, body) != MSA_OK)
                fail_msg("device '%s': %s", device_names[i], m.error);
        }
    else
        printf("# skipped: this processor has no AVX512-BF16\n");
}

static void factors_are_rounded(void **state)
{
    (void)state;
    run_on_cpu(layer);
}

static void to_the_nearest(void **state)
{
    (void)state;
    run_on_cpu(roundings);
}

static void small_products_are_exact(void **state)
{
    (void)state;
    run_on_cpu(small);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_rounded),
        cmocka_unit_test(to_the_nearest),
        cmocka_unit_test(small_products_are_exact),
    };
    return cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
