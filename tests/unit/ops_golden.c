/* A chain of operations by element, by row and by matrix: what PyTorch makes of it, and the
 * gradients (tests/oracle/ops.py). */
#include "common/formats/safetensors.h"
#include "common/nn/ops/ops.h"
#include "tests/unit/devices.h"

#define GOLDEN "tests/golden/ops.safetensors"

static const double tolerance = 2e-6; /* of a tensor's largest number */

enum { LEARNED = 6, BATCH = 2, WORDS = 3, D = 5 };
static const char *const learned[LEARNED] = {"e", "v", "row", "column", "number", "w"};

struct chain {
    struct tape tape;
    struct safetensors *golden;
    struct var *in[LEARNED];
};

static const struct safetensor *expected(const struct chain *c, const char *name)
{
    const struct safetensor *t = safetensors_find(c->golden, name);
    if (!t)
        fail_msg("%s has no '%s'", c->golden->path, name);
    return t;
}

static double largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

static void compare(struct chain *c, const char *name, const float *got)
{
    const struct safetensor *t = expected(c, name);
    const float *want = t->data;
    double allowed = tolerance * largest(want, t->count);
    float *is = malloc(t->count * sizeof *is);
    assert_non_null(got);
    device_copy_out(c->tape.m, c->tape.device, is, got, t->count * sizeof *is);
    for (size_t i = 0; i < t->count; i++)
        if (!(fabs((double)is[i] - (double)want[i]) <= allowed))
            fail_msg("%s, %s[%zu]: %.9g but expected %.9g", c->tape.device->name, name, i,
                     (double)is[i], (double)want[i]);
    free(is);
}

/* The variable itself, which has what PyTorch has under that name. */
static struct var *as_expected(struct chain *c, const char *name, struct var *x)
{
    assert_int_equal(x->count, expected(c, name)->count);
    compare(c, name, x->data);
    return x;
}

static struct var *input(struct chain *c, const char *name)
{
    const struct safetensor *t = expected(c, name);
    struct tensor host = tensor_of(name, F4, t->data, t->rank, t->shape);
    return tape_input(&c->tape, &host, true);
}

static const float *constant(struct chain *c, const char *name)
{
    const struct safetensor *t = expected(c, name);
    return tape_upload(&c->tape, t->data, t->count * sizeof(float));
}

/* MAG-BERT's gate, and a number for all */
static struct var *words(struct chain *c, struct var *e, struct var *v, struct var *row,
                         struct var *number)
{
    struct tape *t = &c->tape;
    struct dropout none = {.rate = 0};
    struct var *gate = op_affine(t, op_multiply(t, e, row, BROADCAST_ROW), 1, .1f);
    struct var *gated = op_multiply(t, op_relu(t, gate, none), v, BROADCAST_NONE);
    as_expected(c, "gated", gated);
    struct var *share = op_divide(t, op_affine(t, op_euclidean(t, e, 0), .3f, 0),
                                  op_euclidean(t, gated, 1), BROADCAST_NONE, 1e-6f);
    share = as_expected(c, "share", op_clamp(t, share, -INFINITY, 1));
    struct var *moved =
        op_add(t, e, op_multiply(t, gated, share, BROADCAST_COLUMN), BROADCAST_NONE);
    return as_expected(c, "words", op_add(t, moved, number, BROADCAST_NUMBER));
}

static struct var *likely(struct chain *c, struct var *x, struct var *row, struct var *column,
                          struct var *number)
{
    struct tape *t = &c->tape;
    x = op_multiply(t, op_add(t, x, column, BROADCAST_COLUMN), number, BROADCAST_NUMBER);
    x = op_sigmoid(t, op_add(t, x, row, BROADCAST_ROW), (struct dropout){.rate = 0});
    as_expected(c, "moved", x);
    x = op_divide(t, op_multiply(t, x, x, BROADCAST_NONE), row, BROADCAST_ROW, 4);
    x = op_affine(t, op_clamp(t, x, .05f, .19f), 9, 0);
    return as_expected(c, "likely", op_softmax(t, x));
}

static struct var *loss(struct chain *c, struct var *y)
{
    struct tape *t = &c->tape;
    const float *target = constant(c, "target"), *weight = constant(c, "weight");
    struct var *l1 = op_regression(t, y, target, weight, REGRESSION_L1, 0),
               *l2 = op_regression(t, y, target, weight, REGRESSION_MSE, 0),
               *smooth = op_regression(t, y, target, weight, REGRESSION_SMOOTHL1, .7f);
    struct var *sum = op_add(t, l1, op_affine(t, l2, .5f, 0), BROADCAST_NONE);
    return as_expected(c, "loss", op_add(t, sum, smooth, BROADCAST_NONE));
}

static void follow_golden(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct chain c = {.tape = tape_new(m, d, 1), .golden = safetensors_open(m, GOLDEN)};
    struct tape *t = &c.tape;
    tape_reset(t, true, 0);
    for (int i = 0; i < LEARNED; i++)
        c.in[i] = input(&c, learned[i]);
    struct var *x = words(&c, c.in[0], c.in[1], c.in[2], c.in[4]);
    x = tape_view(t, likely(&c, x, c.in[2], c.in[3], c.in[4]), 3, (size_t[]){BATCH, WORDS, D});
    struct var *scores = as_expected(&c, "scores", op_matmul(t, x, c.in[5], false, true));
    struct var *back = as_expected(&c, "back", op_matmul(t, x, scores, true, false));
    tape_seed(t, loss(&c, back), NULL);
    tape_backward(t);
    for (int i = 0; i < LEARNED; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient.%s", learned[i]);
        compare(&c, name, tape_gradient(c.in[i]));
    }
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
