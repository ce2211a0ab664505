/* The CPU's kernels give the same bytes however many threads there are, but for the products of
 * large matrices (kernels/cpu/cpu.h). */
#include "tests/unit/kernels_run.h"

/* Of each kind one that is worth several threads. */
static struct problem problems[] = {
    {.pair = &gelu_pair, .n = {200003}, .rate = .3f},
    {.pair = &norm_pair, .n = {301, 709}, .real = 1e-5f, .rate = .3f},
    {.pair = &positions_pair, .n = {9, 57, 301}, .rate = .3f},
    {.pair = &embedding_pair, .n = {297, 33, 385, 13}},
    {.pair = &attention_pair, .n = {3, 150, 60, 3}, .rate = .3f},
    {.pair = &cross_pair, .n = {3, 150, 270, 3, 10}, .rate = .3f, .kind = CROSS_MASKED},
    {.pair = &mean_pair, .n = {4, 131, 517}, .kind = 1},
    {.pair = &columns_pair, .n = {100, 3000, 1000, 2000}},
    {.pair = &cosine_pair, .n = {300, 709, 5, 3}},
    {.pair = &relu_pair, .n = {200003}, .rate = .3f},
    {.pair = &sigmoid_pair, .n = {200003}, .rate = .3f},
    {.pair = &number_pair, .n = {400003}},
    {.pair = &affine_pair, .n = {400003}, .real = 1.5f, .kind = AFFINE_HIGH},
    {.pair = &arithmetic_pair, .n = {801, 709}, .kind = ARITHMETIC(MULTIPLY, NONE)},
    {.pair = &arithmetic_pair, .n = {801, 709}, .kind = ARITHMETIC(MULTIPLY, ROW)},
    {.pair = &arithmetic_pair, .n = {801, 709}, .kind = ARITHMETIC(MULTIPLY, COLUMN)},
    {.pair = &arithmetic_pair, .n = {801, 709}, .kind = ARITHMETIC(MULTIPLY, NUMBER)},
    {.pair = &softmax_pair, .n = {301, 709}},
    {.pair = &euclidean_pair, .n = {301, 709}},
    {.pair = &matmul_pair, .n = {7, 57, 96, 128}, .kind = TURN_B},
    {.pair = &lstm_pair, .n = {57, 9, 33}, .spread = .5, .kind = LSTM_LENGTHS | LSTM_REVERSED},
    {.pair = &conv_pair, .n = {16, 57, 33, 50, 5}},
    {.pair = &batch_norm_pair, .n = {301, 709}, .real = 1e-5f},
    {.pair = &tensor_fusion_pair, .n = {33, 5, 9, 16, 20}, .rate = .3f},
    {.pair = &tensor_fusion_pair, .n = {33, 32, 5, 33, 128}, .rate = .3f},
    {.pair = &tensor_fusion_pair, .n = {57, 20, 5, 33, 128}},
};

static void check_bytes(const struct device *d, const char *what, const float *a, const float *b,
                        size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s with %d threads: [%zu] is %.9g but with one %.9g", what, d->threads, i,
                     (double)b[i], (double)a[i]);
}

static void same_bytes(void **state)
{
    struct problem *p = *state;
    struct expected e = {0};
    make_problem(p);
    draw_numbers(p, &e);
    struct given alone = given_by(devices[0], p, &e);
    for (int i = 1; i < device_count; i++) {
        struct given given = given_by(devices[i], p, &e);
        check_bytes(devices[i], "output", alone.out, given.out, p->out);
        for (int j = 0; j < p->pair->inputs; j++)
            check_bytes(devices[i], "gradient", alone.gradients[j], given.gradients[j],
                        p->counts[j]);
        free_given(&given);
    }
    free_given(&alone);
    free_expected(&e);
    free_problem(p);
}

static void run(struct msa *m)
{
    static const long threads[] = {1, 2, 5};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        devices[device_count++] = device_open(m, "cpu", threads[i]);
    test_problems(m, problems, sizeof problems / sizeof *problems, same_bytes);
}

int main(void)
{
    return test_program("kernels_threads", run);
}
