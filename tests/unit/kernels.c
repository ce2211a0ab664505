/* Every pair of kernels on every device that this machine has.
 *
 * Outputs are compared with references in double; gradients with differences of those, element by
 * element (a sample of them where there are many) and along a direction through all of them. Errors
 * may be `tolerance` of the value and of the root mean square of its array. */
#include "tests/unit/kernels_run.h"

static const double tolerance = 2e-5;

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
    {.pair = &cross_pair, .n = {2, 11, 7, 2, 5}, .rate = .5f},
    {.pair = &cross_pair, .n = {3, 11, 20, 2, 5}, .kind = CROSS_SPANS},
    {.pair = &cross_pair, .n = {2, 11, 16, 1, 10}, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {2, 150, 131, 2, 5}, .rate = .3f, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {2, 140, 270, 1, 10}, .rate = .3f, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {3, 13, 13, 2, 10}, .kind = CROSS_MASKED | CROSS_SPANS},
    {.pair = &cross_pair, .n = {3, 20, 9, 2, 10}, .rate = .3f, .kind = CROSS_PADDED},
    {.pair = &cross_pair, .n = {4, 9, 300, 1, 6}, .kind = CROSS_PADDED | CROSS_MASKED},
    {.pair = &cross_pair, .n = {2, 2, 1, 2, 5}, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {2, 270, 140, 2, 5}, .kind = CROSS_MASKED | CROSS_CAUSAL},
    {.pair = &cross_pair, .n = {3, 33, 40, 1, 96}, .rate = .3f, .kind = CROSS_KEY_SPANS},
    {.pair = &cross_pair, .n = {3, 40, 33, 1, 128}, .rate = .3f, .kind = CROSS_QUERY_SPANS},
    {.pair = &cross_pair, .n = {4, 13, 9, 2, 10}, .kind = CROSS_SPANS | CROSS_PADDED},
    {.pair = &cross_pair, .n = {3, 11, 7, 2, 5}, .kind = CROSS_EMPTY},
    {.pair = &cross_pair, .n = {3, 11, 7, 2, 5}, .kind = CROSS_EMPTY | CROSS_SPANS},
    {.pair = &cross_pair, .n = {3, 9, 70, 2, 5}, .kind = CROSS_EMPTY | CROSS_SPANS | CROSS_MASKED},
    {.pair = &cross_pair, .n = {3, 9, 70, 1, 6}, .kind = CROSS_EMPTY | CROSS_PADDED},
    {.pair = &mean_pair, .n = {3, 7, 70}},
    {.pair = &mean_pair, .n = {2, 131, 517}},
    {.pair = &mean_pair, .n = {3, 7, 70}, .kind = 1},
    {.pair = &mean_pair, .n = {4, 131, 517}, .kind = 1},
    {.pair = &columns_pair, .n = {5, 17, 6, 7}},
    {.pair = &columns_pair, .n = {50, 3000, 1000, 2000}},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = REGRESSION_SMOOTHL1},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = REGRESSION_MSE},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = REGRESSION_L1},
    {.pair = &regression_pair, .n = {33}, .real = .7f, .kind = WEIGHTED | REGRESSION_SMOOTHL1},
    {.pair = &regression_pair, .n = {33}, .kind = WEIGHTED | REGRESSION_MSE},
    {.pair = &regression_pair, .n = {33}, .kind = WEIGHTED | REGRESSION_L1},
    {.pair = &cross_entropy_pair, .n = {9, 3}},
    {.pair = &cosine_pair, .n = {7, 19, 5, 3}},
    {.pair = &cosine_pair, .n = {100, 500, 5, 0}},
    {.pair = &contrast_pair, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_MNTX},
    {.pair = &contrast_pair, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_NTXENT},
    {.pair = &contrast_pair, .n = {6, 2, 3}, .real = .5f, .kind = CONTRAST_NTXENT_PML},

    {.pair = &relu_pair, .n = {37}},
    {.pair = &relu_pair, .n = {5001}, .rate = .3f}, /* none is 0, where there is no slope */
    {.pair = &sigmoid_pair, .n = {29}, .rate = .5f},
    {.pair = &sigmoid_pair, .n = {70001}},
    {.pair = &number_pair, .n = {37}},
    {.pair = &affine_pair, .n = {37}, .real = 1.5f},
    {.pair = &affine_pair, .n = {37}, .real = 1, .kind = AFFINE_LOW},
    {.pair = &affine_pair, .n = {37}, .real = -1, .kind = AFFINE_HIGH},
    {.pair = &affine_pair, .n = {70001}, .real = .75f, .kind = AFFINE_LOW | AFFINE_HIGH},
    {.pair = &arithmetic_pair, .n = {1, 1}, .kind = ARITHMETIC(MULTIPLY, NONE)},
    {.pair = &arithmetic_pair, .n = {5, 19}, .kind = ARITHMETIC(ADD, NONE)},
    {.pair = &arithmetic_pair, .n = {5, 19}, .kind = ARITHMETIC(ADD, ROW)},
    {.pair = &arithmetic_pair, .n = {5, 19}, .kind = ARITHMETIC(ADD, COLUMN)},
    {.pair = &arithmetic_pair, .n = {5, 19}, .kind = ARITHMETIC(ADD, NUMBER)},
    {.pair = &arithmetic_pair, .n = {130, 1101}, .kind = ARITHMETIC(MULTIPLY, NONE)},
    {.pair = &arithmetic_pair, .n = {130, 1101}, .kind = ARITHMETIC(MULTIPLY, ROW)},
    {.pair = &arithmetic_pair, .n = {130, 1101}, .kind = ARITHMETIC(MULTIPLY, COLUMN)},
    {.pair = &arithmetic_pair, .n = {130, 1101}, .kind = ARITHMETIC(MULTIPLY, NUMBER)},
    {.pair = &arithmetic_pair, .n = {1, 37}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, NONE)},
    {.pair = &arithmetic_pair, .n = {300, 7}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, ROW)},
    {.pair = &arithmetic_pair, .n = {300, 7}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, COLUMN)},
    {.pair = &arithmetic_pair, .n = {300, 7}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, NUMBER)},
    {.pair = &softmax_pair, .n = {5, 1}},
    {.pair = &softmax_pair, .n = {5, 19}},
    {.pair = &softmax_pair, .n = {70, 1101}},
    {.pair = &softmax_pair, .n = {5, 19}, .spread = 128}, /* exponentials are infinite in float */
    {.pair = &euclidean_pair, .n = {5, 1}},
    {.pair = &euclidean_pair, .n = {5, 19}},
    {.pair = &euclidean_pair, .n = {70, 1101}, .real = 1},
    {.pair = &matmul_pair, .n = {1, 7, 11, 5}},
    {.pair = &matmul_pair, .n = {3, 7, 11, 5}, .kind = TURN_A},
    {.pair = &matmul_pair, .n = {3, 7, 11, 5}, .kind = TURN_B},
    {.pair = &matmul_pair, .n = {2, 7, 11, 5}, .kind = TURN_A | TURN_B},
    {.pair = &matmul_pair, .n = {5, 33, 65, 17}},
    {.pair = &matmul_pair, .n = {9, 1, 1, 3}, .kind = TURN_B},

    {.pair = &lstm_pair, .n = {1, 1, 1}},
    {.pair = &lstm_pair, .n = {1, 1, 5}, .kind = LSTM_CONTINUED},
    {.pair = &lstm_pair, .n = {3, 4, 7}},
    {.pair = &lstm_pair, .n = {5, 4, 7}, .kind = LSTM_LENGTHS | LSTM_CONTINUED},
    {.pair = &lstm_pair, .n = {3, 4, 7}, .kind = LSTM_REVERSED | LSTM_CONTINUED},
    {.pair = &lstm_pair, .n = {5, 4, 7}, .kind = LSTM_LENGTHS | LSTM_REVERSED},
    {.pair = &lstm_pair, .n = {19, 9, 16}, .kind = LSTM_LENGTHS | LSTM_REVERSED | LSTM_CONTINUED},
    {.pair = &conv_pair, .n = {1, 1, 1, 1, 1}},
    {.pair = &conv_pair, .n = {3, 7, 5, 4, 3}},
    {.pair = &conv_pair, .n = {2, 5, 3, 7, 5}},
    {.pair = &conv_pair, .n = {4, 57, 33, 10, 1}},
    {.pair = &batch_norm_pair, .n = {3, 1}, .real = 1e-5f},
    {.pair = &batch_norm_pair, .n = {7, 13}, .real = 1e-5f},
    {.pair = &batch_norm_pair, .n = {130, 71}, .real = 1e-5f},
    {.pair = &batch_norm_pair, .n = {1, 13}, .real = 1e-5f, .kind = 1},
    {.pair = &batch_norm_pair, .n = {9, 71}, .real = 1e-5f, .kind = 1},
    {.pair = &tensor_fusion_pair, .n = {1, 1, 0, 0, 0}},
    {.pair = &tensor_fusion_pair, .n = {1, 1, 0, 1, 1}, .rate = .5f},
    {.pair = &tensor_fusion_pair, .n = {3, 7, 0, 0, 33}, .rate = .4f},
    {.pair = &tensor_fusion_pair, .n = {3, 7, 0, 5, 2}},
    {.pair = &tensor_fusion_pair, .n = {3, 7, 0, 2, 33}, .rate = .4f},
    {.pair = &tensor_fusion_pair, .n = {3, 7, 1, 2, 5}},
    {.pair = &tensor_fusion_pair, .n = {3, 7, 1, 2, 5}, .rate = .4f},
    {.pair = &tensor_fusion_pair, .n = {33, 64, 5, 2, 1}, .rate = .4f},
    {.pair = &tensor_fusion_pair, .n = {33, 1, 2, 33, 5}},
    {.pair = &tensor_fusion_pair, .n = {2, 3, 33, 5, 33}},
    {.pair = &tensor_fusion_pair, .n = {2, 3, 33, 5, 33}, .rate = .4f},
};

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
    float *out = fetched(d, m->out, p->out);
    double typical = root_mean_square(e->out, p->out);
    for (size_t i = 0; i < p->out; i++)
        check_value(d, p, "output", i, (double)out[i], e->out[i], typical);
    free(out);
}

static void check_gradient(struct device *d, const struct problem *p, const struct expected *e,
                           int input, const float *gradient, bool added)
{
    static const char *const names[] = {"gradient by input 0", "gradient by input 1",
                                        "gradient by input 2", "gradient by input 3",
                                        "gradient by input 4"};
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

/* Leaves NaN in the memory that kernels work in: none may take it for anything. */
static void leave_nan(struct device *d)
{
    enum { LENGTH = 140, SIZE = 8 };
    struct sequences rows = {1, LENGTH, NULL, NULL};
    struct attention shape = {1, SIZE, rows, rows, SIZE, SIZE, SIZE, .masked = false};
    float *nan = place_numbers(d, NULL, LENGTH * SIZE, NAN);
    float *to = place_numbers(d, NULL, 3 * LENGTH * SIZE, 0);
    d->k.attention_backward(d, to, to + LENGTH * SIZE, to + 2 * LENGTH * SIZE, nan, nan, nan, nan,
                            nan, nan, &shape, NULL, false, false, false);
    d->wait(d);
    d->release(d, nan);
    d->release(d, to);
}

static void check_problem(struct device *d, const struct problem *p, const struct expected *e)
{
    struct dropout drop = dropout_of(p);
    struct memory m = memory_of(d, p, e);
    leave_nan(d);
    p->pair->forward(d, p, &m, p->rate > 0 ? &drop : NULL);
    check_output(d, p, e, &m);
    float *once = fetched(d, m.out, p->out);
    check_gradients(d, p, e, &m);
    check_repeated(d, p, &m);
    p->pair->forward(d, p, &m, p->rate > 0 ? &drop : NULL);
    float *twice = fetched(d, m.out, p->out);
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

static void run(struct msa *m)
{
    open_devices(m);
    test_problems(m, problems, sizeof problems / sizeof *problems, agrees_with_its_reference);
}

int main(void)
{
    return test_program("kernels", run);
}
