/* The pairs of kernels, and how a problem is run on a device. */
#ifndef KERNELS_RUN_H
#define KERNELS_RUN_H

#include "tests/unit/devices.h"
#include "tests/unit/kernels_attention.h"
#include "tests/unit/kernels_expected.h"
#include "tests/unit/kernels_fusion.h"
#include "tests/unit/kernels_losses.h"
#include "tests/unit/kernels_rows.h"
#include "tests/unit/kernels_sequences.h"

#define PAIR(name, shape, inputs, parameters, partial)                                             \
    static const struct pair name##_pair = {#name,          inputs,          parameters,           \
                                            partial,        shape##_shape,   name##_reference,     \
                                            name##_forward, name##_backward, NULL}
PAIR(linear, linear, 3, 6, false);
PAIR(gelu, elementwise, 1, 0, false);
PAIR(tanh, elementwise, 1, 0, false);
PAIR(dropout, elementwise, 1, 0, false);
PAIR(norm, norm, 4, 6, false);
PAIR(positions, positions, 3, 6, false);
PAIR(embedding, embedding, 3, 7, false);
PAIR(attention, attention, 1, 0, false);
static const struct pair cross_pair = {
    "cross attention", 3,          0, false, cross_shape, cross_reference, cross_forward,
    cross_backward,    cross_place};
PAIR(mean, mean, 1, 0, false);
PAIR(columns, columns, 1, 0, true);
PAIR(regression, regression, 1, 0, false);
PAIR(cross_entropy, cross_entropy, 1, 0, false);
PAIR(cosine, cosine, 2, 0, true);
PAIR(contrast, contrast, 1, 0, false);
static const struct pair lstm_pair = {"lstm",
                                      5,
                                      6,
                                      false,
                                      lstm_shape,
                                      lstm_reference,
                                      lstm_forward,
                                      lstm_backward,
                                      lstm_place_lengths};
PAIR(conv, conv, 2, 2, false);
static const struct pair batch_norm_pair = {"batch_norm",
                                            3,
                                            6,
                                            false,
                                            batch_norm_shape,
                                            batch_norm_reference,
                                            batch_norm_forward,
                                            batch_norm_backward,
                                            batch_norm_place};
PAIR(tensor_fusion, tensor_fusion, 5, 24, false);

PAIR(relu, elementwise, 1, 0, false);
PAIR(sigmoid, elementwise, 1, 0, false);
PAIR(number, elementwise, 1, 0, false);
PAIR(affine, elementwise, 1, 0, false);
PAIR(arithmetic, arithmetic, 2, 0, false);
PAIR(softmax, softmax, 1, 0, false);
PAIR(euclidean, euclidean, 1, 0, false);
PAIR(matmul, matmul, 2, 0, false);

static struct device *devices[1 + DEVICES];
static int device_count;

static inline void open_devices(struct msa *m)
{
    for (int i = 0; i < DEVICES; i++)
        if (device_tested(device_names[i]))
            devices[device_count++] = device_open(m, device_names[i], 2);
}

/* n floats on the device: x, or `value` where x is NULL. */
static float *place_numbers(struct device *d, const double *x, size_t n, float value)
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

static float *fetched(struct device *d, const float *x, size_t n)
{
    float *host = malloc((n + 1) * sizeof *host);
    take(d, host, x, n * sizeof *host);
    return host;
}

static struct memory memory_of(struct device *d, const struct problem *p, const struct expected *e)
{
    size_t rows = p->rows;
    struct memory m = {.out = place_numbers(d, NULL, p->out, p->pair->partial ? 0 : NAN),
                       .dout = place_numbers(d, e->dout, p->out, 0),
                       .pad = place_bytes(d, p->pad, rows * sizeof *p->pad),
                       .classes = place_bytes(d, p->classes, rows * sizeof *p->classes),
                       .words = place_bytes(d, p->words, rows * sizeof *p->words),
                       .types = place_bytes(d, p->types, rows * sizeof *p->types),
                       .spans = place_bytes(d, p->spans, 2 * rows * sizeof *p->spans),
                       .target = place_bytes(d, p->target, rows * sizeof *p->target),
                       .weight = place_bytes(d, p->weight, rows * sizeof *p->weight)};
    for (int i = 0; i < p->pair->inputs; i++)
        m.in[i] = place_numbers(d, e->in[i], p->counts[i], 0);
    for (int i = 0; i < SAVED; i++)
        m.saved[i] = place_numbers(d, NULL, p->saved[i], NAN);
    return m;
}

static void free_memory(struct device *d, struct memory *m)
{
    void *all[] = {m->out,   m->dout,  m->pad,    m->classes, m->words,
                   m->types, m->spans, m->target, m->weight};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        d->release(d, all[i]);
    for (int i = 0; i < INPUTS; i++)
        d->release(d, m->in[i]);
    for (int i = 0; i < SAVED; i++)
        d->release(d, m->saved[i]);
}

/* Runs the backward pass and fetches the gradients, [counts] each. All start at .5, but those that
 * it must overwrite at NaN; bit i of `without`: the gradient by input i is NULL, and none is
 * fetched. */
static void run_backward(struct device *d, const struct problem *p, struct memory *m, unsigned add,
                         unsigned without, float *gradients[])
{
    struct dropout drop = dropout_of(p);
    for (int i = 0; i < p->pair->inputs; i++)
        m->din[i] = without >> i & 1
                        ? NULL
                        : place_numbers(d, NULL, p->counts[i],
                                        (add | p->pair->parameters) >> i & 1 ? .5f : NAN);
    p->pair->backward(d, p, m, p->rate > 0 ? &drop : NULL, add);
    for (int i = 0; i < p->pair->inputs; i++) {
        gradients[i] = m->din[i] ? fetched(d, m->din[i], p->counts[i]) : NULL;
        d->release(d, m->din[i]);
    }
}

/* What a device gives. */
struct given {
    float *out, *gradients[INPUTS];
};

static inline struct given given_by(struct device *d, const struct problem *p,
                                    const struct expected *e)
{
    struct dropout drop = dropout_of(p);
    struct memory m = memory_of(d, p, e);
    struct given given = {0};
    p->pair->forward(d, p, &m, p->rate > 0 ? &drop : NULL);
    given.out = fetched(d, m.out, p->out);
    run_backward(d, p, &m, 0, 0, given.gradients);
    free_memory(d, &m);
    return given;
}

static inline void free_given(struct given *given)
{
    free(given->out);
    for (int i = 0; i < INPUTS; i++)
        free(given->gradients[i]);
}

/* A test of one problem, which is its state. */
static inline struct CMUnitTest test_of(struct msa *m, struct problem *p, CMUnitTestFunction test)
{
    char *name = msa_format(m, "%s %zu %zu %zu %zu kind %d dropout %g", p->pair->name, p->n[0],
                            p->n[1], p->n[2], p->n[3], p->kind, (double)p->rate);
    return (struct CMUnitTest){name, test, NULL, NULL, p};
}

/* A test for each problem, on the devices that are open. */
static inline void test_problems(struct msa *m, struct problem *problems, size_t count,
                                 CMUnitTestFunction test)
{
    struct CMUnitTest *tests = msa_calloc(m, count, sizeof *tests);
    for (size_t i = 0; i < count; i++)
        tests[i] = test_of(m, &problems[i], test);
    /* what cmocka_run_group_tests calls, which needs an array */
    int failures = _cmocka_run_group_tests("problems", tests, count, NULL, NULL);
    m->status = failures ? MSA_FAILED : MSA_OK;
}

/* What main returns: `run` opens devices and runs tests with them. */
static inline int test_program(const char *program, void (*run)(struct msa *m))
{
    struct msa m = {.program = program};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    enum msa_status status = msa_run(&m, run);
    if (*m.error)
        fprintf(stderr, "%s: %s\n", program, m.error);
    return (int)status;
}

#endif
