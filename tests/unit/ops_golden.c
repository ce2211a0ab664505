/* A chain of operations by element, by row and by matrix: what PyTorch makes of it, and the
 * gradients (tests/oracle/ops.py). */
#include "tests/unit/golden.h"

enum { LEARNED = 6, BATCH = 2, WORDS = 3, D = 5 };
static const char *const learned[LEARNED] = {"e", "v", "row", "column", "number", "w"};

/* The variable itself, which has what PyTorch has under that name. */
static struct var *as_expected(struct golden *g, const char *name, struct var *x)
{
    assert_int_equal(x->count, golden_tensor(g, name)->count);
    golden_compare(g, name, x->data);
    return x;
}

static const float *constant(struct golden *g, const char *name)
{
    const struct safetensor *t = golden_tensor(g, name);
    return tape_upload(&g->tape, t->data, t->count * sizeof(float));
}

/* MAG-BERT's gate, and a number for all */
static struct var *words(struct golden *g, struct var *e, struct var *v, struct var *row,
                         struct var *number)
{
    struct tape *t = &g->tape;
    struct dropout none = {.rate = 0};
    struct var *gate = op_affine(t, op_multiply(t, e, row, BROADCAST_ROW), 1, .1f);
    struct var *gated = op_multiply(t, op_relu(t, gate, none), v, BROADCAST_NONE);
    as_expected(g, "gated", gated);
    struct var *share = op_divide(t, op_affine(t, op_euclidean(t, e, 0), .3f, 0),
                                  op_euclidean(t, gated, 1), BROADCAST_NONE, 1e-6f);
    share = as_expected(g, "share", op_clamp(t, share, -INFINITY, 1));
    struct var *moved =
        op_add(t, e, op_multiply(t, gated, share, BROADCAST_COLUMN), BROADCAST_NONE);
    return as_expected(g, "words", op_add(t, moved, number, BROADCAST_NUMBER));
}

static struct var *likely(struct golden *g, struct var *x, struct var *row, struct var *column,
                          struct var *number)
{
    struct tape *t = &g->tape;
    x = op_multiply(t, op_add(t, x, column, BROADCAST_COLUMN), number, BROADCAST_NUMBER);
    x = op_sigmoid(t, op_add(t, x, row, BROADCAST_ROW), (struct dropout){.rate = 0});
    as_expected(g, "moved", x);
    x = op_divide(t, op_multiply(t, x, x, BROADCAST_NONE), row, BROADCAST_ROW, 4);
    x = op_affine(t, op_clamp(t, x, .05f, .19f), 9, 0);
    return as_expected(g, "likely", op_softmax(t, x));
}

static struct var *loss(struct golden *g, struct var *y)
{
    struct tape *t = &g->tape;
    const float *target = constant(g, "target"), *weight = constant(g, "weight");
    struct var *l1 = op_regression(t, y, target, weight, REGRESSION_L1, 0),
               *l2 = op_regression(t, y, target, weight, REGRESSION_MSE, 0),
               *smooth = op_regression(t, y, target, weight, REGRESSION_SMOOTHL1, .7f);
    struct var *sum = op_add(t, l1, op_affine(t, l2, .5f, 0), BROADCAST_NONE);
    return as_expected(g, "loss", op_add(t, sum, smooth, BROADCAST_NONE));
}

static void follow_golden(struct msa *m)
{
    struct golden g = {tape_new(m, device_open(m, m->settings, 2), 1),
                       safetensors_open(m, "tests/golden/ops.safetensors"), 2e-6};
    struct tape *t = &g.tape;
    struct var *in[LEARNED];
    tape_reset(t, true, 0);
    for (int i = 0; i < LEARNED; i++)
        in[i] = golden_input(&g, learned[i]);
    struct var *x = words(&g, in[0], in[1], in[2], in[4]);
    x = tape_view(t, likely(&g, x, in[2], in[3], in[4]), 3, (size_t[]){BATCH, WORDS, D});
    struct var *scores = as_expected(&g, "scores", op_matmul(t, x, in[5], false, true));
    struct var *back = as_expected(&g, "back", op_matmul(t, x, scores, true, false));
    tape_seed(t, loss(&g, back), NULL);
    tape_backward(t);
    for (int i = 0; i < LEARNED; i++)
        golden_compare(&g, msa_format(m, "gradient.%s", learned[i]), tape_gradient(in[i]));
}

static void numbers_and_gradients_are_those_of_pytorch(void **state)
{
    (void)state;
    run_on_devices(follow_golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_gradients_are_those_of_pytorch),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
