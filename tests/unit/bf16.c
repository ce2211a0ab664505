/* Factors in bfloat16 on the CPU. Linear layers beside sums in double of factors that are rounded
 * to 8 bits, for odd sizes, with what is added to; small products are exact; attention is
 * float32's within what rounding leaves. */
#include "tests/unit/kernels_run.h"

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

static void draw_all(float *x, size_t n, uint32_t stream)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)draw(stream, i);
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
        draw_all(all[i], sizes[i], i);
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

/* --- attention */

/* Heads of odd sizes and of one that is too small for it, odd numbers of keys and queries. */
static struct problem problems[] = {
    {.pair = &attention_pair, .n = {3, 1, 33, 1}, .rate = .5f},
    {.pair = &attention_pair, .n = {2, 57, 66, 2}, .rate = .5f},
    {.pair = &attention_pair, .n = {3, 129, 97, 1}, .rate = .5f, .kind = 1},
    {.pair = &attention_pair, .n = {2, 401, 192, 2}},
    {.pair = &attention_pair, .n = {2, 57, 20, 1}},
    {.pair = &cross_pair, .n = {3, 57, 2, 2, 128}, .rate = .5f, .kind = CROSS_KEY_SPANS},
    {.pair = &cross_pair, .n = {2, 57, 201, 1, 96}, .rate = .3f, .kind = CROSS_PADDED},
    {.pair = &cross_pair, .n = {2, 129, 129, 2, 47}, .rate = .3f, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {9, 57, 99, 2, 33}, .kind = CROSS_MASKED | CROSS_SPANS},
};

/* The error is .006 of the numbers, both as root mean squares of the array. */
static void check_near(const struct problem *p, const char *what, const float *a, const float *b,
                       size_t n)
{
    double errors = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)a[i] - (double)b[i];
        errors += error * error;
        squares += (double)b[i] * (double)b[i];
    }
    if (!(sqrt(errors) <= .006 * sqrt(squares)))
        fail_msg("problem %td, %s: error %.2g of the numbers", p - problems, what,
                 sqrt(errors / squares));
}

static void attention(struct msa *m)
{
    struct device *d = bf16_device(m);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        struct problem *p = &problems[i];
        struct expected e = {0};
        make_problem(p);
        draw_numbers(p, &e);
        struct given given = given_by(d, p, &e);
        d->set_precision(d, PRECISION_F32);
        struct given exact = given_by(d, p, &e);
        d->set_precision(d, PRECISION_BF16);
        check_near(p, "output", given.out, exact.out, p->out);
        for (int j = 0; j < p->pair->inputs; j++)
            check_near(p, "gradient", given.gradients[j], exact.gradients[j], p->counts[j]);
        free_given(&given);
        free_given(&exact);
        free_expected(&e);
        free_problem(p);
    }
}

/* --- on each level */

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

static void attention_is_near(void **state)
{
    (void)state;
    run_on_cpu(attention);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_rounded),
        cmocka_unit_test(to_the_nearest),
        cmocka_unit_test(small_products_are_exact),
        cmocka_unit_test(attention_is_near),
    };
    return cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
