/* Operations on a tape, where their kernels' own tests do not reach: inputs that may be missing,
 * and may be one variable twice, sizes that do not fit, how many dimensions, parameters and tensors
 * of a record there may be, and where copies are made. */
#include "common/nn/ops/ops.h"
#include "common/nn/params.h"
#include "common/stage/trainable.h"
#include "tests/unit/devices.h"

static void fails(void (*body)(struct msa *m), const char *line)
{
    struct msa m = {.program = "ops"};
    assert_int_equal(msa_run(&m, body), MSA_FAILED);
    assert_string_equal(m.error, line);
}

/* --- a product without a bias */

enum { ROWS = 3, IN = 2, OUT = 2 };

static const float x[ROWS * IN] = {1, 2, -3, 4, .5f, -6}, w[OUT * IN] = {2, -1, .25f, 3};
static const float dy[ROWS * OUT] = {1, -2, 3, .5f, -1, 4};

/* c[rows,cols] = a b, sums over `inner`; strides are those of a row and of a column. */
static void product(float *c, const float *a, size_t a_row, size_t a_col, const float *b,
                    size_t b_row, size_t b_col, size_t rows, size_t inner, size_t cols)
{
    for (size_t i = 0; i < rows * cols; i++) {
        c[i] = 0;
        for (size_t k = 0; k < inner; k++)
            c[i] += a[i / cols * a_row + k * a_col] * b[k * b_row + i % cols * b_col];
    }
}

static void check(struct tape *t, const char *what, const float *got, const float *want, size_t n)
{
    float host[ROWS * OUT + ROWS * IN];
    device_copy_out(t->m, t->device, host, got, n * sizeof *host);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(host[i] - want[i]) <= 1e-5f))
            fail_msg("%s, %s[%zu]: %g but expected %g", t->device->name, what, i, (double)host[i],
                     (double)want[i]);
}

static void linear_alone(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct tape t = tape_new(m, d, 1);
    struct tensor hosts[] = {tensor_of("x", F4, x, 2, (size_t[]){ROWS, IN}),
                             tensor_of("w", F4, w, 2, (size_t[]){OUT, IN})};
    float want[ROWS * IN + ROWS * OUT], none[OUT * IN] = {0};
    tape_reset(&t, true, 0);
    struct var *in = tape_input(&t, &hosts[0], true), *weight = tape_input(&t, &hosts[1], true);
    weight->grad = tape_upload(&t, none, sizeof none); /* parameters' are added to */
    struct var *y = op_linear(&t, in, weight, NULL);
    product(want, x, IN, 1, w, 1, IN, ROWS, IN, OUT);
    check(&t, "y", y->data, want, ROWS * OUT);
    tape_seed(&t, y, dy);
    tape_backward(&t);
    product(want, dy, OUT, 1, w, IN, 1, ROWS, OUT, IN);
    check(&t, "dx", tape_gradient(in), want, ROWS * IN);
    product(want, dy, 1, OUT, x, IN, 1, OUT, ROWS, IN);
    check(&t, "dw", tape_gradient(weight), want, OUT * IN);
}

static void a_linear_layer_needs_no_bias(void **state)
{
    (void)state;
    run_on_devices(linear_alone);
}

/* --- one variable twice */

static struct var *squared(struct tape *t, struct var *v)
{
    return op_multiply(t, v, v, BROADCAST_NONE);
}

static struct var *turned_by_itself(struct tape *t, struct var *v)
{
    return op_matmul(t, v, v, true, false);
}

/* Of x, with dy: the result y[n], and the gradient. */
static void check_twice(struct msa *m, const char *what,
                        struct var *(*op)(struct tape *, struct var *), const float *y, size_t n,
                        const float *dx)
{
    struct tape t = tape_new(m, device_open(m, m->settings, 2), 1);
    struct tensor host = tensor_of("x", F4, x, 2, (size_t[]){ROWS, IN});
    tape_reset(&t, true, 0);
    struct var *in = tape_input(&t, &host, true), *out = op(&t, in);
    check(&t, what, out->data, y, n);
    tape_seed(&t, out, dy);
    tape_backward(&t);
    check(&t, what, tape_gradient(in), dx, ROWS * IN);
}

static void operands_alike(struct msa *m)
{
    float squares[ROWS * IN], slopes[ROWS * IN], products[IN * IN], sums[IN * IN], by_x[ROWS * IN];
    for (size_t i = 0; i < ROWS * IN; i++)
        squares[i] = x[i] * x[i], slopes[i] = 2 * x[i] * dy[i];
    check_twice(m, "x x", squared, squares, ROWS * IN, slopes);
    product(products, x, 1, IN, x, IN, 1, IN, ROWS, IN);
    for (size_t i = 0; i < IN * IN; i++) /* x (dy + dy transposed) */
        sums[i] = dy[i] + dy[i % IN * IN + i / IN];
    product(by_x, x, IN, 1, sums, IN, 1, ROWS, IN, IN);
    check_twice(m, "x' x", turned_by_itself, products, IN * IN, by_x);
}

static void operands_may_be_one_variable(void **state)
{
    (void)state;
    run_on_devices(operands_alike);
}

/* --- a row of zeros */

enum { ZERO = 1 /* the row */ };

static void norm_at_zero(struct msa *m, float at_zero)
{
    static const float rows[ROWS * IN] = {3, -4, 0, -0.f, 1e-25f, 0};
    const float norms[ROWS] = {5, at_zero, 1e-25f};
    const float slopes[ROWS * IN] = {.6f * dy[0], -.8f * dy[0], 0, 0, dy[2], 0};
    struct tape t = tape_new(m, device_open(m, m->settings, 2), 1);
    struct tensor host = tensor_of("x", F4, rows, 2, (size_t[]){ROWS, IN});
    float got[ROWS];
    tape_reset(&t, true, 0);
    struct var *in = tape_input(&t, &host, true), *y = op_euclidean(&t, in, at_zero);
    check(&t, "|x|", y->data, norms, ROWS);
    device_copy_out(m, t.device, got, y->data, sizeof got);
    assert_true(got[ZERO] == at_zero && got[ZERO + 1] > 0);
    tape_seed(&t, y, dy);
    tape_backward(&t);
    check(&t, "its gradient", tape_gradient(in), slopes, ROWS * IN);
}

static void rows_of_zeros(struct msa *m)
{
    norm_at_zero(m, 0);
    norm_at_zero(m, 1);
}

static void the_norm_of_zeros_is_what_was_asked_for(void **state)
{
    (void)state;
    run_on_devices(rows_of_zeros);
}

/* --- slices: the rows of a weight as two layers, and those of x as two inputs */

static void sliced(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, m->settings, 2), 1);
    struct tensor hosts[] = {tensor_of("x", F4, x, 2, (size_t[]){ROWS, IN}),
                             tensor_of("w", F4, w, 2, (size_t[]){OUT, IN})};
    tape_reset(&t, true, 0);
    struct var *in = tape_input(&t, &hosts[0], true), *weight = tape_input(&t, &hosts[1], true);
    struct var *last = tape_slice(&t, in, IN, 2, (size_t[]){ROWS - 1, IN});
    struct var *second =
        tape_slice(&t, tape_view(&t, weight, 1, (size_t[]){OUT * IN}), IN, 2, (size_t[]){1, IN});
    struct var *y = op_linear(&t, last, second, NULL);
    float want[ROWS * IN] = {0};
    product(want, x + IN, IN, 1, w + IN, 1, 1, ROWS - 1, IN, 1);
    check(&t, "y", y->data, want, ROWS - 1);
    tape_seed(&t, y, dy);
    tape_backward(&t);
    memset(want, 0, sizeof want);
    product(want + IN, dy, 1, 1, w + IN, IN, 1, ROWS - 1, 1, IN);
    check(&t, "dx", tape_gradient(in), want, ROWS * IN);
    check(&t, "dx of the slice", tape_gradient(last), want + IN, (ROWS - 1) * IN);
    memset(want, 0, sizeof want);
    product(want + IN, dy, 1, 1, x + IN, IN, 1, 1, ROWS - 1, IN);
    check(&t, "dw", tape_gradient(weight), want, OUT * IN);
}

/* Both halves, and then the whole, have a gradient: they add up. */
static void sliced_twice(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, m->settings, 2), 1);
    struct tensor host = tensor_of("x", F4, x, 1, (size_t[]){4});
    const float ones[] = {1, 1, 1, 1}, want[] = {2, 2, 2, 2};
    tape_reset(&t, true, 0);
    struct var *in = tape_input(&t, &host, true), *parts[3];
    for (size_t i = 0; i < 2; i++)
        parts[i] = tape_slice(&t, in, 2 * i, 2, (size_t[]){1, 2});
    parts[2] = tape_view(&t, in, 2, (size_t[]){1, 4});
    struct var *y = op_concat(&t, 3, parts);
    struct var *half = tape_slice(&t, y, 0, 1, (size_t[]){4});
    check(&t, "y", half->data, x, 4);
    tape_seed(&t, y, (const float[]){1, 1, 1, 1, 1, 1, 1, 1});
    check(&t, "dy", tape_gradient(half), ones, 4);
    tape_backward(&t);
    check(&t, "dx", tape_gradient(in), want, 4);
}

static void slice_past_the_end(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    tape_slice(&t, tape_var(&t, false, 1, (size_t[]){6}), 4, 1, (size_t[]){3});
}

static void slices_are_parts_of_a_variable(void **state)
{
    (void)state;
    run_on_devices(sliced);
    run_on_devices(sliced_twice);
    fails(slice_past_the_end, "a slice of 3 elements from 4 on, but there are 6");
}

/* --- limits */

static void variable_of_rank_5(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    tape_var(&t, false, 4, (size_t[]){1, 1, 1, 1});
    tape_var(&t, false, 5, (size_t[]){1, 1, 1, 1, 1});
}

static void view_of_rank_5(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    struct var *v = tape_var(&t, false, 1, (size_t[]){1});
    tape_view(&t, v, 5, (size_t[]){1, 1, 1, 1, 1});
}

static void parameter_of_rank_5(struct msa *m)
{
    struct params p = params_new(m, device_open(m, "cpu:base", 1), 1, NULL);
    params_add(&p, "conv.weight", init_constant(0), 5, (size_t[]){1, 1, 1, 1, 1});
}

static void dimensions_are_counted(void **state)
{
    (void)state;
    fails(variable_of_rank_5, "a variable of rank 5 but at most 4 is possible");
    fails(view_of_rank_5, "a variable of rank 5 but at most 4 is possible");
    fails(parameter_of_rank_5, "parameter 'conv.weight': rank 5 but at most 4 is possible");
}

static void column_for_a_row(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    struct var *a = tape_zeros(&t, 2, (size_t[]){3, 5}), *b = tape_zeros(&t, 1, (size_t[]){3});
    op_add(&t, a, b, BROADCAST_COLUMN);
    op_add(&t, a, b, BROADCAST_ROW);
}

static void multiply(struct msa *m, size_t batch, size_t inner)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    op_matmul(&t, tape_zeros(&t, 3, (size_t[]){2, 4, 5}),
              tape_zeros(&t, 3, (size_t[]){batch, inner, 3}), false, false);
}

static void another_batch(struct msa *m)
{
    multiply(m, 2, 5);
    multiply(m, 1, 5);
}

static void another_inside(struct msa *m)
{
    multiply(m, 2, 4);
}

static void sizes_must_fit(void **state)
{
    (void)state;
    fails(column_for_a_row, "an operand [3] beside [3,5]: 3 numbers but expected 5");
    fails(another_batch, "no product of [2,4,5] and [1,5,3]");
    fails(another_inside, "no product of [2,4,5] and [2,4,3]");
}

static struct trainable *stage(struct msa *m)
{
    struct trainable *t = msa_alloc(m, sizeof *t);
    t->m = m;
    return t;
}

static void read_often(struct msa *m)
{
    struct trainable *t = stage(m);
    char name[16] = "";
    for (int i = 0; i < 2 * TRAINABLE_ENDS; i++)
        trainable_reads(t, "x"); /* once is enough */
    assert_int_equal(t->input_count, 1);
    for (int i = 0; i < TRAINABLE_ENDS; i++) {
        snprintf(name, sizeof name, "x%d", i);
        trainable_reads(t, name);
    }
}

static void add_often(struct msa *m)
{
    struct trainable *t = stage(m);
    for (int i = 0; i <= TRAINABLE_ENDS; i++)
        trainable_adds(t, "y", 1, (size_t[]){0});
}

static void drop_often(struct msa *m)
{
    struct trainable *t = stage(m);
    for (int i = 0; i <= TRAINABLE_ENDS; i++)
        trainable_drop(t, "z");
}

static void ends_of_a_stage_are_counted(void **state)
{
    (void)state;
    fails(read_often, "tensor 'x127': a stage uses at most 128 of a record");
    fails(add_often, "tensor 'y': a stage uses at most 128 of a record");
    fails(drop_often, "tensor 'z': a stage uses at most 128 of a record");
}

/* --- copies are made in lane 0, in training */

static struct tape in_lane(struct msa *m, unsigned lane, bool train)
{
    struct tape t = tape_new(m, device_open(m, "test", 1), 1);
    tape_reset(&t, train, 0);
    tape_lane(&t, lane);
    return t;
}

static void upload(struct msa *m)
{
    struct tape t = in_lane(m, 3, true);
    tape_upload(&t, x, sizeof x);
}

static void input(struct msa *m)
{
    struct tape t = in_lane(m, 2, true);
    struct tensor host = tensor_of("x", F4, x, 2, (size_t[]){ROWS, IN});
    tape_input(&t, &host, false);
}

static void seed(struct msa *m)
{
    struct tape t = in_lane(m, 1, true);
    tape_seed(&t, tape_zeros(&t, 2, (size_t[]){ROWS, OUT}), dy);
}

static void copy_out(struct msa *m)
{
    struct tape t = in_lane(m, 1, true);
    struct host_copy host = {0};
    tape_copy_out(&t, &host, tape_zeros(&t, 1, (size_t[]){IN})->data, IN);
}

static void evaluate(struct msa *m)
{
    struct tape t = in_lane(m, 1, false);
    tape_upload(&t, x, sizeof x);
}

static void copies_are_made_in_the_first_lane(void **state)
{
    (void)state;
    struct msa m = {.program = "ops"};
    fails(upload, "a copy in lane 3, but all are made in lane 0");
    fails(input, "a copy in lane 2, but all are made in lane 0");
    fails(seed, "a copy in lane 1, but all are made in lane 0");
    fails(copy_out, "a copy in lane 1, but all are made in lane 0");
    assert_int_equal(msa_run(&m, evaluate), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_layer_needs_no_bias),
        cmocka_unit_test(operands_may_be_one_variable),
        cmocka_unit_test(the_norm_of_zeros_is_what_was_asked_for),
        cmocka_unit_test(slices_are_parts_of_a_variable),
        cmocka_unit_test(dimensions_are_counted),
        cmocka_unit_test(sizes_must_fit),
        cmocka_unit_test(ends_of_a_stage_are_counted),
        cmocka_unit_test(copies_are_made_in_the_first_lane),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
