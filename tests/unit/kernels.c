/* Every pair of kernels on every device that this machine has without a GPU: the levels of the CPU
 * and the test device.
 *
 * Outputs are compared with references in double; gradients with differences of those, element by
 * element (a sample of them where there are many) and along a direction through all of them. Errors
 * may be `tolerance` of the value and of the root mean square of its array. */
#include "common/nn/device.h"
#include "kernels/level.h"
#include "tests/unit/kernels_expected.h"
#include "tests/unit/kernels_losses.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

enum { DEVICES = 5 };
static const double tolerance = 2e-5;

#define PAIR(name, shape, inputs, parameters, partial)                                             \
    static const struct pair name##_pair = {#name,          inputs,         parameters,            \
                                            partial,        shape##_shape,  name##_reference,      \
                                            name##_forward, name##_backward}
PAIR(linear, linear, 3, 6, false);
PAIR(gelu, elementwise, 1, 0, false);
PAIR(tanh, elementwise, 1, 0, false);
PAIR(dropout, elementwise, 1, 0, false);
PAIR(norm, norm, 4, 6, false);
PAIR(positions, positions, 3, 6, false);
PAIR(embedding, embedding, 3, 7, false);
PAIR(attention, attention, 1, 0, false);
PAIR(mean, mean, 1, 0, false);
PAIR(columns, columns, 1, 0, true);
PAIR(regression, regression, 1, 0, false);
PAIR(cross_entropy, cross_entropy, 1, 0, false);
PAIR(cosine, cosine, 2, 0, true);
PAIR(contrast, contrast, 1, 0, false);

/* Odd sizes, those that fill vectors, and those that cross the borders of chunks, strips, blocks
 * and threads. */
static struct problem problems[] = {
    {.pair = &linear_pair, .n = {1, 1, 1}},
    {.pair = &linear_pair, .n = {7, 13, 11}},
    {.pair = &linear_pair, .n = {300, 33, 65}},
    {.pair = &gelu_pair, .n = {37}},
    {.pair = &gelu_pair, .n = {37}, .rate = .3f},
    {.pair = &gelu_pair, .n = {70001}, .rate = .5f},
    {.pair = &tanh_pair, .n = {29}},
    {.pair = &tanh_pair, .n = {70001}, .rate = .1f},
    {.pair = &dropout_pair, .n = {29}},
    {.pair = &dropout_pair, .n = {70001}, .rate = .1f},
    {.pair = &norm_pair, .n = {5, 19}, .real = 1e-5f},
    {.pair = &norm_pair, .n = {5, 19}, .real = 1e-5f, .rate = .4f},
    {.pair = &norm_pair, .n = {5, 19}, .real = 1e-5f, .kind = 1},
    {.pair = &norm_pair, .n = {130, 1101}, .real = 1e-12f, .rate = .5f},
    {.pair = &positions_pair, .n = {3, 4, 11}},
    {.pair = &positions_pair, .n = {3, 4, 11}, .rate = .5f},
    {.pair = &positions_pair, .n = {2, 33, 1027}, .rate = .5f},
    {.pair = &embedding_pair, .n = {15, 5, 11, 7}},
    {.pair = &embedding_pair, .n = {297, 33, 385, 13}},
    {.pair = &attention_pair, .n = {2, 11, 12, 3}},
    {.pair = &attention_pair, .n = {2, 11, 12, 3}, .rate = .5f},
    {.pair = &attention_pair, .n = {2, 16, 16, 1}, .rate = .25f},
    {.pair = &attention_pair, .n = {2, 150, 20, 2}, .rate = .5f},
    {.pair = &attention_pair, .n = {1, 1041, 4, 1}, .rate = .5f},
    {.pair = &attention_pair, .n = {5, 11, 12, 3}, .kind = 1},
    {.pair = &attention_pair, .n = {3, 150, 20, 2}, .rate = .5f, .kind = 1},
    {.pair = &mean_pair, .n = {3, 7, 70}},
    {.pair = &mean_pair, .n = {2, 131, 517}},
    {.pair = &mean_pair, .n = {3, 7, 70}, .kind = 1},
    {.pair = &mean_pair, .n = {4, 131, 517}, .kind = 1},
    {.pair = &columns_pair, .n = {5, 17, 6, 7}},
    {.pair = &columns_pair, .n = {50, 3000, 1000, 2000}},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = REGRESSION_SMOOTHL1},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = REGRESSION_MSE},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = REGRESSION_L1},
    {.pair = &cross_entropy_pair, .n = {9, 3}},
    {.pair = &cosine_pair, .n = {7, 19, 5, 3}},
    {.pair = &cosine_pair, .n = {100, 500, 5, 0}},
    {.pair = &contrast_pair, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_MNTX},
    {.pair = &contrast_pair, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_NTXENT},
    {.pair = &contrast_pair, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_NTXENT_PML},
};

static struct device *devices[DEVICES];
static int device_count;

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
                       .words = place_bytes(d, p->words, rows * sizeof *p->words),
                       .types = place_bytes(d, p->types, rows * sizeof *p->types),
                       .spans = place_bytes(d, p->spans, 2 * rows * sizeof *p->spans),
                       .target = place_bytes(d, p->target, rows * sizeof *p->target)};
    for (int i = 0; i < p->pair->inputs; i++)
        m.in[i] = place(d, e->in[i], p->counts[i], 0);
    for (int i = 0; i < SAVED; i++)
        m.saved[i] = place(d, NULL, p->saved[i], NAN);
    return m;
}

static void free_memory(struct device *d, struct memory *m)
{
    void *all[] = {m->in[0],    m->in[1],    m->in[2], m->in[3], m->saved[0],
                   m->saved[1], m->saved[2], m->out,   m->dout,  m->pad,
                   m->classes,  m->words,    m->types, m->spans, m->target};
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

/* Over and added to, all alike and each in turn. */
static void check_gradients(struct device *d, const struct problem *p, const struct expected *e,
                            struct memory *m)
{
    static const unsigned adds[] = {0, ~0u, 1, ~1u};
    for (size_t a = 0; a < sizeof adds / sizeof *adds; a++) {
        float *gradients[INPUTS] = {0};
        run_backward(d, p, m, adds[a], 0, gradients);
        for (int i = 0; i < p->pair->inputs; i++)
            check_gradient(d, p, e, i, gradients[i], (adds[a] | p->pair->parameters) >> i & 1);
        for (int i = 0; i < INPUTS; i++)
            free(gradients[i]);
    }
}

/* Again, and with each gradient left out in turn, the same bits. */
static void check_repeated(struct device *d, const struct problem *p, struct memory *m)
{
    float *once[INPUTS] = {0}, *again[INPUTS] = {0};
    run_backward(d, p, m, 0, 0, once);
    for (unsigned without = 0; without < 1u << p->pair->inputs;
         without = without ? without * 2 : 1) {
        run_backward(d, p, m, 0, without, again);
        for (int i = 0; i < p->pair->inputs; i++) {
            if (again[i])
                check_same(d, p, "two runs of the backward pass differ", once[i], again[i],
                           p->counts[i]);
            free(again[i]);
        }
    }
    for (int i = 0; i < INPUTS; i++)
        free(once[i]);
}

static void check_problem(struct device *d, const struct problem *p, const struct expected *e)
{
    struct dropout drop = dropout_of(p);
    struct memory m = memory_of(d, p, e);
    p->pair->forward(d, p, &m, p->rate > 0 ? &drop : NULL);
    check_output(d, p, e, &m);
    float *once = fetch(d, m.out, p->out);
    check_gradients(d, p, e, &m);
    check_repeated(d, p, &m);
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
    static const char *const names[DEVICES] = {"cpu:base", "cpu:v3", "cpu:v4", "test", "emulated"};
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
