/* Every pair of kernels on every device that this machine has without a GPU: the levels of the CPU
 * and the test device.
 *
 * Outputs are compared with references in double; gradients with differences of those, element by
 * element (a sample of them where there are many) and along a direction through all of them. Errors
 * may be `tolerance` of the value and of the root mean square of its array. */
#include "common/nn/device.h"
#include "kernels/level.h"
#include "tests/unit/kernels_losses.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

enum { DEVICES = 4, SAMPLE = 40 };
static const double tolerance = 2e-5, step = 1e-4;

static const struct pair
    linear = {"linear",       3, 6, false, linear_shape, linear_reference, linear_forward,
              linear_backward},
    gelu = {"gelu", 1, 0, false, elementwise_shape, gelu_reference, gelu_forward, gelu_backward},
    tanh_ = {"tanh", 1, 0, false, elementwise_shape, tanh_reference, tanh_forward, tanh_backward},
    norm = {"norm", 4, 6, false, norm_shape, norm_reference, norm_forward, norm_backward},
    positions =
        {"positions",       3, 6, false, positions_shape, positions_reference, positions_forward,
         positions_backward},
    attention =
        {"attention",       1, 0, false, attention_shape, attention_reference, attention_forward,
         attention_backward},
    mean = {"mean", 1, 0, false, mean_shape, mean_reference, mean_forward, mean_backward},
    columns = {"columns",       1, 0, true, columns_shape, columns_reference, columns_forward,
               columns_backward},
    regression = {"regression",
                  1,
                  0,
                  false,
                  regression_shape,
                  regression_reference,
                  regression_forward,
                  regression_backward},
    cross_entropy = {"cross_entropy",
                     1,
                     0,
                     false,
                     cross_entropy_shape,
                     cross_entropy_reference,
                     cross_entropy_forward,
                     cross_entropy_backward},
    cosine = {"cosine",       2, 0, true, cosine_shape, cosine_reference, cosine_forward,
              cosine_backward},
    contrast = {"contrast",       1, 0, false, contrast_shape, contrast_reference, contrast_forward,
                contrast_backward};

/* Odd sizes, those that fill vectors, and those that cross the borders of chunks, strips, blocks
 * and threads. */
static struct problem problems[] = {
    {.pair = &linear, .n = {1, 1, 1}},
    {.pair = &linear, .n = {7, 13, 11}},
    {.pair = &linear, .n = {300, 33, 65}},
    {.pair = &gelu, .n = {37}},
    {.pair = &gelu, .n = {37}, .rate = .3f},
    {.pair = &gelu, .n = {70001}, .rate = .5f},
    {.pair = &tanh_, .n = {29}},
    {.pair = &tanh_, .n = {70001}, .rate = .1f},
    {.pair = &norm, .n = {5, 19}, .real = 1e-5f},
    {.pair = &norm, .n = {5, 19}, .real = 1e-5f, .rate = .4f},
    {.pair = &norm, .n = {5, 19}, .real = 1e-5f, .kind = 1},
    {.pair = &norm, .n = {130, 1101}, .real = 1e-12f, .rate = .5f},
    {.pair = &positions, .n = {3, 4, 11}},
    {.pair = &positions, .n = {3, 4, 11}, .rate = .5f},
    {.pair = &positions, .n = {2, 33, 1027}, .rate = .5f},
    {.pair = &attention, .n = {2, 11, 12, 3}},
    {.pair = &attention, .n = {2, 11, 12, 3}, .rate = .5f},
    {.pair = &attention, .n = {2, 16, 16, 1}, .rate = .25f},
    {.pair = &attention, .n = {2, 150, 20, 2}, .rate = .5f},
    {.pair = &mean, .n = {3, 7, 70}},
    {.pair = &mean, .n = {2, 131, 517}},
    {.pair = &columns, .n = {5, 17, 6, 7}},
    {.pair = &columns, .n = {50, 3000, 1000, 2000}},
    {.pair = &regression, .n = {33}, .real = .7f, .kind = REGRESSION_SMOOTHL1},
    {.pair = &regression, .n = {33}, .real = .7f, .kind = REGRESSION_MSE},
    {.pair = &regression, .n = {33}, .real = .7f, .kind = REGRESSION_L1},
    {.pair = &cross_entropy, .n = {9, 3}},
    {.pair = &cosine, .n = {7, 19, 5, 3}},
    {.pair = &cosine, .n = {100, 500, 5, 0}},
    {.pair = &contrast, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_MNTX},
    {.pair = &contrast, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_NTXENT},
    {.pair = &contrast, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_NTXENT_PML},
};

/* What is expected of a problem. */
struct expected {
    double *in[INPUTS], *out, *dout;
    size_t samples[INPUTS], at[INPUTS][SAMPLE]; /* elements whose gradients are known */
    double slope[INPUTS][SAMPLE];
    double along[INPUTS]; /* slope along direction(), for each input by itself */
};

static struct device *devices[DEVICES];
static int device_count;

static struct dropout dropout_of(const struct problem *p)
{
    return (struct dropout){p->rate, 0x123456789abcdef, 77, 5};
}

/* --- expectations */

static void make_problem(struct problem *p)
{
    p->pair->shape(p);
    struct dropout drop = dropout_of(p);
    p->factors = calloc(p->masked + 1, sizeof *p->factors);
    for (size_t i = 0; i < p->masked; i++)
        p->factors[i] = p->rate > 0 ? dropout_factor(&drop, i) : 1;
    size_t rows = p->n[0] * p->n[1] + p->n[0];
    p->pad = calloc(rows, sizeof *p->pad);
    p->classes = calloc(rows, sizeof *p->classes);
    p->target = calloc(rows, sizeof *p->target);
    for (size_t i = 0; i < rows; i++) {
        /* padding at the end of the second sample and, by itself, within the first */
        p->pad[i] = p->n[1] && (i == 4 || i % p->n[1] > p->n[1] - i / p->n[1] * p->n[1] / 5);
        p->classes[i] = p->n[1] ? (int32_t)(i * 7 % p->n[1]) : 0;
        p->target[i] = (float)draw(900, i);
    }
}

static void free_problem(struct problem *p)
{
    free(p->factors);
    free(p->pad);
    free(p->classes);
    free(p->target);
}

static double *drawn(uint32_t stream, size_t n, double scale, double shift)
{
    double *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw(stream, i) * scale + shift;
    return x;
}

static double loss_of(const struct problem *p, const struct expected *e, double *out)
{
    double sum = 0;
    p->pair->reference(p, out, e->in);
    for (size_t i = 0; i < p->out; i++)
        sum += out[i] * e->dout[i];
    return sum;
}

/* A direction of length 1 in n dimensions. */
static double direction(size_t i, size_t n)
{
    return draw(800, i) * sqrt(3 / (double)n);
}

static double slope_at(const struct problem *p, const struct expected *e, double *out, double *x)
{
    double before = *x;
    *x = before + step;
    double up = loss_of(p, e, out);
    *x = before - step;
    double down = loss_of(p, e, out);
    *x = before;
    return (up - down) / (2 * step);
}

static double slope_along(const struct problem *p, const struct expected *e, double *out, double *x,
                          size_t n)
{
    double loss[2], *before = malloc((n + 1) * sizeof *x);
    memcpy(before, x, n * sizeof *x);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            x[i] = before[i] + (side ? -10 : 10) * step * direction(i, n);
        loss[side] = loss_of(p, e, out);
    }
    memcpy(x, before, n * sizeof *x);
    free(before);
    return (loss[0] - loss[1]) / (20 * step);
}

static void expect(const struct problem *p, struct expected *e)
{
    double *scratch = malloc((p->out + 1) * sizeof *scratch);
    e->out = malloc((p->out + 1) * sizeof *e->out);
    e->dout = drawn(700, p->out, 1, 0);
    for (int i = 0; i < p->pair->inputs; i++)
        e->in[i] = drawn((uint32_t)i, p->counts[i], 2, i ? .5 : 0);
    p->pair->reference(p, e->out, e->in);
    for (int i = 0; i < p->pair->inputs; i++) {
        size_t n = p->counts[i];
        e->samples[i] = n < SAMPLE ? n : SAMPLE;
        for (size_t s = 0; s < e->samples[i]; s++) {
            e->at[i][s] = n <= SAMPLE ? s : s * 2654435761u % n;
            e->slope[i][s] = slope_at(p, e, scratch, e->in[i] + e->at[i][s]);
        }
        e->along[i] = slope_along(p, e, scratch, e->in[i], n);
    }
    free(scratch);
}

static void free_expected(struct expected *e)
{
    for (int i = 0; i < INPUTS; i++)
        free(e->in[i]);
    free(e->out);
    free(e->dout);
}

/* --- a problem on a device */

/* n floats on the device: x, or `value` where x is NULL. */
static float *place(struct device *d, const double *x, size_t n, float value)
{
    float *to = d->allocate(d, n * sizeof *to), *host = malloc((n + 1) * sizeof *host);
    assert_non_null(to);
    for (size_t i = 0; i < n; i++)
        host[i] = x ? (float)x[i] : value;
    d->copy_in(d, to, host, n * sizeof *host);
    free(host);
    return to;
}

static void *place_bytes(struct device *d, const void *x, size_t bytes)
{
    void *to = d->allocate(d, bytes);
    assert_non_null(to);
    d->copy_in(d, to, x, bytes);
    return to;
}

static float *fetch(struct device *d, const float *x, size_t n)
{
    float *host = malloc((n + 1) * sizeof *host);
    d->copy_out(d, host, x, n * sizeof *host);
    return host;
}

static struct memory memory_of(struct device *d, const struct problem *p, const struct expected *e)
{
    size_t rows = p->n[0] * p->n[1] + p->n[0];
    struct memory m = {.out = place(d, NULL, p->out, p->pair->partial ? 0 : NAN),
                       .dout = place(d, e->dout, p->out, 0),
                       .pad = place_bytes(d, p->pad, rows * sizeof *p->pad),
                       .classes = place_bytes(d, p->classes, rows * sizeof *p->classes),
                       .target = place_bytes(d, p->target, rows * sizeof *p->target)};
    for (int i = 0; i < p->pair->inputs; i++)
        m.in[i] = place(d, e->in[i], p->counts[i], 0);
    for (int i = 0; i < SAVED; i++)
        m.saved[i] = place(d, NULL, p->saved[i], NAN);
    return m;
}

static void free_memory(struct device *d, struct memory *m)
{
    void *all[] = {m->in[0],    m->in[1], m->in[2], m->in[3], m->saved[0], m->saved[1],
                   m->saved[2], m->out,   m->dout,  m->pad,   m->classes,  m->target};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        d->release(d, all[i]);
}

/* Runs the backward pass and fetches the gradients, [counts] each. All start at .5, but those that
 * it must overwrite at NaN; bit i of `without`: the gradient by input i is NULL, and none is
 * fetched. */
static void run_backward(struct device *d, const struct problem *p, struct memory *m, unsigned add,
                         unsigned without, float *gradients[])
{
    struct dropout drop = dropout_of(p);
    for (int i = 0; i < p->pair->inputs; i++)
        m->din[i] = without >> i & 1 ? NULL
                                     : place(d, NULL, p->counts[i],
                                             (add | p->pair->parameters) >> i & 1 ? .5f : NAN);
    p->pair->backward(d, p, m, p->rate > 0 ? &drop : NULL, add);
    for (int i = 0; i < p->pair->inputs; i++) {
        gradients[i] = m->din[i] ? fetch(d, m->din[i], p->counts[i]) : NULL;
        d->release(d, m->din[i]);
    }
}

/* --- comparisons */

static double root_mean_square(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i] / (double)n;
    return sqrt(sum);
}

static void check_value(const struct device *d, const struct problem *p, const char *what, size_t i,
                        double got, double want, double typical)
{
    double error = fabs(got - want), allowed = tolerance * (fabs(want) + typical);
    if (!(error <= allowed))
        fail_msg("%s on %s, %s[%zu]: %.9g but expected %.9g (error %.2g, allowed %.2g)",
                 p->pair->name, d->name, what, i, got, want, error, allowed);
}

static void check_output(struct device *d, const struct problem *p, const struct expected *e,
                         const struct memory *m)
{
    float *out = fetch(d, m->out, p->out);
    double typical = root_mean_square(e->out, p->out);
    for (size_t i = 0; i < p->out; i++)
        check_value(d, p, "output", i, (double)out[i], e->out[i], typical);
    free(out);
}

static void check_gradient(struct device *d, const struct problem *p, const struct expected *e,
                           int input, const float *gradient, bool added)
{
    static const char *const names[] = {"gradient by input 0", "gradient by input 1",
                                        "gradient by input 2", "gradient by input 3"};
    size_t n = p->counts[input];
    double along = 0, typical = root_mean_square(e->slope[input], e->samples[input]),
           start = added ? .5 : 0;
    for (size_t i = 0; i < n; i++)
        along += ((double)gradient[i] - start) * direction(i, n);
    for (size_t s = 0; s < e->samples[input]; s++) {
        size_t at = e->at[input][s];
        check_value(d, p, names[input], at, (double)gradient[at], e->slope[input][s] + start,
                    typical + start);
    }
    check_value(d, p, names[input], n, along, e->along[input], typical + start);
}

static void check_same(const struct device *d, const struct problem *p, const char *what,
                       const float *a, const float *b, size_t n)
{
    if (n && memcmp(a, b, n * sizeof *a) != 0)
        fail_msg("%s on %s: %s", p->pair->name, d->name, what);
}

/* Over, added to, again, and with each gradient left out in turn. */
static void check_backward(struct device *d, const struct problem *p, const struct expected *e,
                           struct memory *m)
{
    float *over[INPUTS] = {0}, *added[INPUTS] = {0}, *again[INPUTS] = {0};
    run_backward(d, p, m, 0, 0, over);
    run_backward(d, p, m, ~0u, 0, added);
    for (int i = 0; i < p->pair->inputs; i++) {
        check_gradient(d, p, e, i, over[i], p->pair->parameters >> i & 1);
        check_gradient(d, p, e, i, added[i], true);
    }
    for (unsigned without = 0; without <= 1u << p->pair->inputs;
         without = without ? without * 2 : 1) {
        run_backward(d, p, m, 0, without, again);
        for (int i = 0; i < p->pair->inputs; i++) {
            if (again[i])
                check_same(d, p, "two runs of the backward pass differ", over[i], again[i],
                           p->counts[i]);
            free(again[i]);
        }
    }
    for (int i = 0; i < INPUTS; i++) {
        free(over[i]);
        free(added[i]);
    }
}

static void check_problem(struct device *d, const struct problem *p, const struct expected *e)
{
    struct dropout drop = dropout_of(p);
    struct memory m = memory_of(d, p, e);
    p->pair->forward(d, p, &m, p->rate > 0 ? &drop : NULL);
    check_output(d, p, e, &m);
    float *once = fetch(d, m.out, p->out);
    check_backward(d, p, e, &m);
    p->pair->forward(d, p, &m, p->rate > 0 ? &drop : NULL);
    float *twice = fetch(d, m.out, p->out);
    check_same(d, p, "two runs of the forward pass differ", once, twice, p->out);
    free(once);
    free(twice);
    free_memory(d, &m);
}

static void agrees_with_its_reference(void **state)
{
    struct problem *p = *state;
    struct expected e = {0};
    make_problem(p);
    expect(p, &e);
    for (int i = 0; i < device_count; i++)
        check_problem(devices[i], p, &e);
    free_expected(&e);
    free_problem(p);
}

/* --- all of them */

static void open_devices(struct msa *m)
{
    static const char *const names[DEVICES] = {"cpu:base", "cpu:v3", "cpu:v4", "test"};
    for (int i = 0; i < DEVICES; i++)
        if (strncmp(names[i], "cpu:", 4) != 0 || level_runs(names[i] + 4))
            devices[device_count++] = device_open(m, names[i], 2);
}

static void run(struct msa *m)
{
    enum { COUNT = sizeof problems / sizeof *problems };
    struct CMUnitTest tests[COUNT];
    open_devices(m);
    for (size_t i = 0; i < COUNT; i++) {
        const struct problem *p = problems + i;
        char *name = msa_format(m, "%s %zu %zu %zu %zu kind %d dropout %g", p->pair->name, p->n[0],
                                p->n[1], p->n[2], p->n[3], p->kind, (double)p->rate);
        tests[i] = (struct CMUnitTest){name, agrees_with_its_reference, NULL, NULL, problems + i};
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < device_count; i++)
        device_close(devices[i]);
    m->status = failures ? MSA_FAILED : MSA_OK;
}

int main(void)
{
    struct msa m = {.program = "kernels"};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    enum msa_status status = msa_run(&m, run);
    if (*m.error)
        fprintf(stderr, "kernels: %s\n", m.error);
    return (int)status;
}
