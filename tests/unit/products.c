/* Products of matrices of all small sizes, turned and not, against sums in double: as matmul and as
 * the linear layer. Results lie between numbers that must stay, and what they overwrite is NaN. */
#include "kernels/philox.h"
#include "tests/unit/devices.h"

enum { TIMES = 300, MOST = 70, AROUND = 64 };

/* A matrix on the device, and the same on the host: element i, j is host[i row + j column]. */
struct matrix {
    float *host, *device;
    size_t row, column;
};

/* The same numbers for the same place, from -1 to 1. */
static double draw(uint32_t stream, size_t i)
{
    uint32_t out[4];
    philox4x32(out, (uint32_t[4]){(uint32_t)i, 0, stream, 0}, (uint32_t[2]){17, 4});
    return (double)(int32_t)(out[0] >> 15) / 65536 - 1;
}

static size_t size_drawn(uint32_t stream, size_t i, size_t least)
{
    return least + (size_t)((draw(stream, i) + 1) / 2 * (double)(MOST + 1 - least));
}

static struct matrix matrix_of(struct device *d, uint32_t stream, size_t rows, size_t columns,
                               bool turned)
{
    size_t n = rows * columns;
    float *host = malloc((n + 1) * sizeof *host);
    for (size_t i = 0; i < n; i++)
        host[i] = (float)draw(stream, i);
    return (struct matrix){host, place(d, host, n), turned ? 1 : columns, turned ? rows : 1};
}

static void free_matrix(struct device *d, struct matrix *m)
{
    free(m->host);
    d->release(d, m->device);
}

/* [n] of `value` between numbers of which each is another; the device's. */
static float *surrounded(struct device *d, size_t n, float value)
{
    float *x = malloc((n + 2 * AROUND) * sizeof *x);
    for (size_t i = 0; i < n + 2 * AROUND; i++)
        x[i] = i < AROUND || i >= n + AROUND ? (float)i : value;
    float *to = place(d, x, n + 2 * AROUND);
    free(x);
    return to;
}

/* What surrounded() made and a kernel has written into, on the host; what is around is as it was.
 */
static float *inside(struct device *d, float *from, size_t n)
{
    float *all = malloc((n + 2 * AROUND) * sizeof *all);
    fetch(d, all, from, n + 2 * AROUND);
    for (size_t i = 0; i < n + 2 * AROUND; i++)
        if ((i < AROUND || i >= n + AROUND) && all[i] != (float)i)
            fail_msg("%s writes %zd beside a product of %zu", d->name,
                     i < AROUND ? (ssize_t)i - AROUND : (ssize_t)(i - AROUND - n + 1), n);
    memmove(all, all + AROUND, n * sizeof *all);
    return all;
}

/* c[m,n] = a[m,k] b[k,n] + start */
static void check(const struct device *d, const float *c, const struct matrix *a,
                  const struct matrix *b, const struct matmul *s, double start)
{
    for (size_t i = 0; i < s->m * s->n; i++) {
        double sum = start, size = fabs(start);
        for (size_t j = 0; j < s->k; j++) {
            double x = (double)a->host[i / s->n * a->row + j * a->column] *
                       (double)b->host[j * b->row + i % s->n * b->column];
            sum += x, size += fabs(x);
        }
        if (!(fabs((double)c[i] - sum) <= 1e-6 * size))
            fail_msg("%s: [%zu,%zu] of [%zu,%zu] [%zu,%zu]%s%s: %.9g but expected %.9g", d->name,
                     i / s->n, i % s->n, s->m, s->k, s->k, s->n, s->turn_a ? ", a turned" : "",
                     s->turn_b ? ", b turned" : "", (double)c[i], sum);
    }
}

/* The forward product writes over NaN. The same product is added to by a gradient: that by a of
 * dy[m,k] b[n,k]^T, where dy is the left matrix, and b is turned as it is stored. */
static void check_matmul(struct device *d, struct matmul s)
{
    struct matrix a = matrix_of(d, 1, s.m, s.k, s.turn_a), b = matrix_of(d, 2, s.k, s.n, s.turn_b);
    float *c = surrounded(d, s.m * s.n, NAN);
    d->k.matmul_forward(d, c + AROUND, a.device, b.device, &s);
    float *got = inside(d, c, s.m * s.n);
    check(d, got, &a, &b, &s, 0);
    free(got);
    if (!s.turn_a) {
        struct matmul of = {1, s.m, s.k, s.n, false, !s.turn_b};
        float *da = surrounded(d, s.m * s.n, .5f);
        d->k.matmul_backward(d, da + AROUND, NULL, a.device, NULL, b.device, &of, true, false);
        got = inside(d, da, s.m * s.n);
        check(d, got, &a, &b, &s, .5);
        free(got);
    }
    free_matrix(d, &a);
    free_matrix(d, &b);
}

/* … and the gradient with respect to weights, dy[k,m]^T x[k,n], is added. */
static void check_linear(struct device *d, struct matmul s)
{
    struct matrix x = matrix_of(d, 3, s.m, s.k, false), w = matrix_of(d, 4, s.k, s.n, true),
                  dy = matrix_of(d, 5, s.m, s.k, true), before = matrix_of(d, 6, s.k, s.n, false);
    float *y = surrounded(d, s.m * s.n, NAN), *dw = surrounded(d, s.m * s.n, -2);
    d->k.linear_forward(d, y + AROUND, x.device, w.device, NULL, s.m, s.k, s.n);
    float *got = inside(d, y, s.m * s.n);
    check(d, got, &x, &w, &s, 0);
    free(got);
    d->k.linear_backward(d, NULL, dw + AROUND, NULL, dy.device, before.device, NULL, s.k, s.n, s.m,
                         false);
    got = inside(d, dw, s.m * s.n);
    check(d, got, &dy, &before, &s, -2);
    free(got);
    free_matrix(d, &x);
    free_matrix(d, &w);
    free_matrix(d, &dy);
    free_matrix(d, &before);
}

/* Numbers of which there are none are the CPU's alone: cuBLAS refuses rows of none. */
static void products(struct device *d)
{
    size_t least = strncmp(d->name, "cpu:", 4) != 0;
    for (uint32_t i = 0; i < TIMES; i++) {
        struct matmul s = {1,
                           size_drawn(7, i, least),
                           size_drawn(8, i, least),
                           size_drawn(9, i, least),
                           i & 1,
                           i >> 1 & 1};
        check_matmul(d, s);
        check_linear(d, s);
    }
}

static void every_size(void **state)
{
    (void)state;
    with_devices(products);
}

/* a[m,k] b[n,k]^T on the host */
static float *product_of(struct device *d, const float *a, const float *b, size_t m, size_t n,
                         size_t k)
{
    struct matmul s = {1, m, n, k, false, true};
    float *x = place(d, a, m * k), *y = place(d, b, n * k);
    float *to = surrounded(d, m * n, NAN);
    d->k.matmul_forward(d, to + AROUND, x, y, &s);
    d->release(d, x);
    d->release(d, y);
    return inside(d, to, m * n);
}

/* Of a small product the shape says how it is computed, not what was computed before; and each
 * number is the same in whatever small product its row and column are. */
static void same_numbers(struct device *d)
{
    enum { M = 37, N = 53, K = 61, LARGE = 200 };
    float *x = malloc(LARGE * LARGE * sizeof *x);
    for (size_t i = 0; i < LARGE * LARGE; i++)
        x[i] = (float)draw(10, i);
    float *whole = product_of(d, x, x + M * K, M, N, K);
    free(product_of(d, x, x, LARGE, LARGE, LARGE));
    float *again = product_of(d, x, x + M * K, M, N, K);
    assert_memory_equal(whole, again, M * N * sizeof *whole);
    for (size_t m = 1; m <= M; m += 3)
        for (size_t n = 1; n <= N; n++) {
            float *part = product_of(d, x, x + M * K, m, n, K);
            for (size_t i = 0; i < m; i++)
                assert_memory_equal(part + i * n, whole + i * N, n * sizeof *part);
            free(part);
        }
    free(whole), free(again), free(x);
}

/* Rows of a long layer, which several threads share, are those of a short one. */
static void same_rows(struct device *d)
{
    enum { ROWS = 1000, IN = 40, OUT = 33 };
    struct matrix x = matrix_of(d, 11, ROWS, IN, false), w = matrix_of(d, 12, OUT, IN, false),
                  b = matrix_of(d, 13, 1, OUT, false);
    float *y = surrounded(d, ROWS * OUT, NAN);
    d->k.linear_forward(d, y + AROUND, x.device, w.device, b.device, ROWS, IN, OUT);
    float *all = inside(d, y, ROWS * OUT);
    for (size_t row = 0; row < ROWS; row++) {
        float *one = surrounded(d, OUT, NAN);
        d->k.linear_forward(d, one + AROUND, x.device + row * IN, w.device, b.device, 1, IN, OUT);
        float *got = inside(d, one, OUT);
        assert_memory_equal(got, all + row * OUT, OUT * sizeof *got);
        free(got);
    }
    free(all);
    free_matrix(d, &x);
    free_matrix(d, &w);
    free_matrix(d, &b);
}

static void on_each_level(void (*body)(struct device *d))
{
    static const char *const levels[] = {"cpu:base", "cpu:v3", "cpu:v4"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (device_tested(levels[i]))
            with_device(levels[i], body);
}

static void small_products_are_the_same_everywhere(void **state)
{
    (void)state;
    on_each_level(same_numbers);
    on_each_level(same_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_size),
                                       cmocka_unit_test(small_products_are_the_same_everywhere)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
