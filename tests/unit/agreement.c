/* Every pair of kernels on every device beside those of the CPU's base level, at the sizes that
 * data sets have and at drawn ones. Larger than those of kernels.c, as no reference is
 * differentiated: values may differ by `tolerance` of themselves and of the root mean square of
 * their array. */
#include "tests/unit/kernels_run.h"

static const double tolerance = 1e-5;

/* Lengths of data sets and a few more; widths of features; heads of every width of a tile. */
static struct problem problems[] = {
    {.pair = &linear_pair, .n = {112, 5, 96}},
    {.pair = &linear_pair, .n = {401, 709, 64}},
    {.pair = &linear_pair, .n = {1002, 33, 20}},
    {.pair = &linear_pair, .n = {56, 20, 709}},
    {.pair = &linear_pair, .n = {1, 33, 5}},
    {.pair = &norm_pair, .n = {1, 1}, .real = 1e-5f},
    {.pair = &norm_pair, .n = {501, 33}, .real = 1e-5f, .rate = .5f},
    {.pair = &norm_pair, .n = {401, 709}, .real = 1e-5f, .rate = .1f},
    {.pair = &norm_pair, .n = {56, 20}, .real = 1e-5f, .kind = 1},
    {.pair = &positions_pair, .n = {1, 1, 1}},
    {.pair = &positions_pair, .n = {5, 55, 33}, .rate = .5f},
    {.pair = &positions_pair, .n = {3, 400, 20}, .rate = .1f},
    {.pair = &embedding_pair, .n = {501, 56, 33, 20}},
    {.pair = &embedding_pair, .n = {1, 1, 709, 1}},
    {.pair = &attention_pair, .n = {3, 1, 15, 3}, .rate = .5f},
    {.pair = &attention_pair, .n = {3, 2, 64, 2}, .rate = .5f},
    {.pair = &attention_pair, .n = {3, 56, 66, 2}, .rate = .5f},
    {.pair = &attention_pair, .n = {2, 56, 192, 3}, .rate = .1f},
    {.pair = &attention_pair, .n = {2, 65, 128, 1}, .rate = .1f},
    {.pair = &attention_pair, .n = {2, 56, 192, 2}, .rate = .1f},
    {.pair = &attention_pair, .n = {3, 33, 97, 1}, .rate = .5f, .kind = 1},
    {.pair = &attention_pair, .n = {2, 401, 99, 3}},
    {.pair = &attention_pair, .n = {2, 501, 20, 4}, .rate = .5f},
    {.pair = &attention_pair, .n = {2, 129, 77, 1}, .rate = .5f},
    {.pair = &attention_pair, .n = {7, 56, 130, 2}, .rate = .5f, .kind = 1},
    {.pair = &attention_pair, .n = {60, 56, 20, 1}, .rate = .5f, .kind = 1},
    {.pair = &cross_pair, .n = {3, 57, 1, 2, 128}, .rate = .5f, .kind = CROSS_KEY_SPANS},
    {.pair = &cross_pair, .n = {3, 2, 57, 3, 5}, .rate = .5f},
    {.pair = &cross_pair, .n = {3, 57, 2, 3, 10}, .rate = .5f, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {2, 401, 57, 2, 5}, .rate = .3f, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {2, 57, 501, 1, 96}, .rate = .3f, .kind = CROSS_PADDED},
    {.pair = &cross_pair, .n = {2, 129, 129, 2, 128}, .rate = .3f, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {9, 57, 129, 2, 33}, .kind = CROSS_MASKED | CROSS_SPANS},
    {.pair = &mean_pair, .n = {3, 501, 33}},
    {.pair = &mean_pair, .n = {60, 56, 709}, .kind = 1},
    {.pair = &columns_pair, .n = {56, 709, 20, 33}},
    {.pair = &regression_pair, .n = {401}, .real = .7f, .kind = REGRESSION_SMOOTHL1},
    {.pair = &cross_entropy_pair, .n = {401, 5}},
    {.pair = &cosine_pair, .n = {401, 709, 5, 3}},
    {.pair = &contrast_pair, .n = {401, 6, 9}, .real = .5f, .kind = CONTRAST_MNTX},
    {.pair = &contrast_pair, .n = {401, 6, 9}, .real = .5f, .kind = CONTRAST_NTXENT_PML},

    {.pair = &regression_pair, .n = {57}, .kind = WEIGHTED | REGRESSION_L1},
    {.pair = &relu_pair, .n = {57 * 709}, .rate = .1f},
    {.pair = &sigmoid_pair, .n = {57 * 709}, .rate = .5f},
    {.pair = &number_pair, .n = {57 * 709}},
    {.pair = &affine_pair, .n = {57 * 709}, .real = .4f, .kind = AFFINE_LOW | AFFINE_HIGH},
    {.pair = &arithmetic_pair, .n = {57, 709}, .kind = ARITHMETIC(ADD, ROW)},
    {.pair = &arithmetic_pair, .n = {57, 709}, .kind = ARITHMETIC(MULTIPLY, NUMBER)},
    {.pair = &arithmetic_pair, .n = {2, 96}, .kind = ARITHMETIC(MULTIPLY, COLUMN)},
    {.pair = &arithmetic_pair, .n = {57, 128}, .kind = ARITHMETIC(MULTIPLY, NONE)},
    {.pair = &arithmetic_pair, .n = {1, 5}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, NONE)},
    {.pair = &arithmetic_pair, .n = {57, 709}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, COLUMN)},
    {.pair = &arithmetic_pair, .n = {57, 5}, .real = 2.5f, .kind = ARITHMETIC(DIVIDE, ROW)},
    {.pair = &softmax_pair, .n = {57, 5}},
    {.pair = &softmax_pair, .n = {1, 96}},
    {.pair = &softmax_pair, .n = {57, 709}},
    {.pair = &euclidean_pair, .n = {2, 5}},
    {.pair = &euclidean_pair, .n = {57, 128}},
    {.pair = &euclidean_pair, .n = {57, 709}},
    {.pair = &matmul_pair, .n = {2, 57, 96, 5}},
    {.pair = &matmul_pair, .n = {57, 2, 5, 128}, .kind = TURN_B},
    {.pair = &matmul_pair, .n = {1, 128, 128, 57}, .kind = TURN_A},
    {.pair = &matmul_pair, .n = {3, 1, 709, 57}, .kind = TURN_A | TURN_B},

    {.pair = &lstm_pair, .n = {33, 1, 16}, .kind = LSTM_CONTINUED},
    {.pair = &lstm_pair, .n = {5, 2, 709}, .spread = .02, .kind = LSTM_CONTINUED | LSTM_REVERSED},
    {.pair = &lstm_pair, .n = {60, 57, 16}, .spread = .5, .kind = LSTM_LENGTHS},
    {.pair = &lstm_pair, .n = {17, 57, 709}, .spread = .02, .kind = LSTM_LENGTHS | LSTM_REVERSED},
    {.pair = &conv_pair, .n = {3, 57, 709, 50, 5}},
    {.pair = &conv_pair, .n = {5, 501, 5, 30, 3}},
    {.pair = &conv_pair, .n = {16, 2, 33, 50, 1}},
    {.pair = &batch_norm_pair, .n = {128, 709}, .real = 1e-5f},
    {.pair = &batch_norm_pair, .n = {57, 33}, .real = 1e-5f},
    {.pair = &batch_norm_pair, .n = {1, 709}, .real = 1e-5f, .kind = 1},
    {.pair = &tensor_fusion_pair, .n = {33, 32, 5, 33, 128}, .rate = .4f},
    {.pair = &tensor_fusion_pair, .n = {57, 20, 5, 33, 128}},
    {.pair = &tensor_fusion_pair, .n = {2, 5, 1, 1, 709}, .rate = .5f},
    {.pair = &tensor_fusion_pair, .n = {128, 16, 0, 33, 96}, .rate = .3f},
};

/* --- drawn sizes */

enum { DRAWN = 24, TABLE = sizeof problems / sizeof *problems };
static struct problem drawn_problems[DRAWN];

static size_t drawn_size(size_t i, uint32_t what, size_t most)
{
    return 1 + (size_t)((draw(1000 + what, i) + 1) / 2 * (double)(most - 1));
}

static void draw_problems(void)
{
    static const struct pair *const pairs[] = {&linear_pair,    &gelu_pair, &norm_pair,
                                               &attention_pair, &mean_pair, &positions_pair};
    static const size_t most[][3] = {{700, 200, 200}, {90000, 1, 1}, {600, 800, 1},
                                     {4, 300, 128},   {9, 300, 300}, {5, 120, 200}};
    for (size_t i = 0; i < DRAWN; i++) {
        size_t kind = i % (sizeof pairs / sizeof *pairs);
        struct problem *p = &drawn_problems[i];
        p->pair = pairs[kind];
        p->real = 1e-5f;
        p->rate = pairs[kind] == &linear_pair || pairs[kind] == &mean_pair ? 0 : .3f;
        for (uint32_t j = 0; j < 3; j++)
            p->n[j] = drawn_size(i, j, most[kind][j]);
        if (pairs[kind] == &attention_pair) {
            p->n[3] = drawn_size(i, 3, 3);
            p->n[2] *= p->n[3];
            p->kind = i / 6 % 2;
        }
    }
}

/* --- comparisons */

static void check_near(const struct device *d, const char *what, const float *a, const float *b,
                       size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)b[i] * (double)b[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double error = fabs((double)a[i] - (double)b[i]);
        double allowed = tolerance * (fabs((double)b[i]) + sqrt(squares));
        if (!(error <= allowed))
            fail_msg("%s on %s: [%zu] is %.9g but on %s %.9g (error %.2g, allowed %.2g)", what,
                     d->name, i, (double)a[i], devices[0]->name, (double)b[i], error, allowed);
    }
}

static void agrees(void **state)
{
    struct problem *p = *state;
    struct expected e = {0};
    make_problem(p);
    draw_numbers(p, &e);
    struct given first = given_by(devices[0], p, &e);
    for (int i = 1; i < device_count; i++) {
        struct given given = given_by(devices[i], p, &e);
        check_near(devices[i], "output", given.out, first.out, p->out);
        for (int j = 0; j < p->pair->inputs; j++)
            check_near(devices[i], "gradient", given.gradients[j], first.gradients[j],
                       p->counts[j]);
        free_given(&given);
    }
    free_given(&first);
    free_expected(&e);
    free_problem(p);
}

/* --- all of them */

static void run(struct msa *m)
{
    struct CMUnitTest tests[TABLE + DRAWN];
    devices[device_count++] = device_open(m, "cpu:base", 2);
    open_devices(m);
    draw_problems();
    for (size_t i = 0; i < TABLE + DRAWN; i++) {
        struct problem *p = i < TABLE ? &problems[i] : &drawn_problems[i - TABLE];
        tests[i] = test_of(m, p, agrees);
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    m->status = failures ? MSA_FAILED : MSA_OK;
}

int main(void)
{
    return test_program("agreement", run);
}
