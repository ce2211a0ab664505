/* Layers of sequences and batches: LSTM, convolution, BatchNorm, frames to words, own frames, as
 * PyTorch has them (tests/oracle/sequences.py). */
#include "common/nn/layers/batch_norm.h"
#include "common/nn/layers/conv.h"
#include "common/nn/layers/lstm.h"
#include "tests/unit/devices.h"
#include <unistd.h>

#define GOLDEN "tests/golden/sequences.safetensors"

static const double tolerance = 2e-6; /* of the value, and of the largest of its tensor */

/* A case: the golden file, parameters from it, and a step on a tape. */
struct scene {
    struct msa *m;
    struct safetensors *golden;
    struct params params;
    struct tape tape;
};

static struct scene scene(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct scene s = {m, safetensors_open(m, GOLDEN), params_new(m, d, 1, NULL), tape_new(m, d, 1)};
    params_source(&s.params, s.golden, false);
    return s;
}

static const struct safetensor *golden(const struct scene *s, const char *group, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", group, name);
    const struct safetensor *t = safetensors_find(s->golden, full);
    if (!t)
        fail_msg("%s has no %s", GOLDEN, full);
    return t;
}

static struct var *input(struct scene *s, const char *group, const char *name)
{
    const struct safetensor *t = golden(s, group, name);
    struct tensor host = tensor_of(name, F4, t->data, t->rank, t->shape);
    return tape_input(&s->tape, &host, true);
}

static void seed(struct scene *s, struct var *y, const char *group, const char *name)
{
    tape_seed(&s->tape, y, golden(s, group, name)->data);
}

/* got[count], on the device, as the numbers from `want` on, which are of a tensor of that name. */
static void compare_part(struct scene *s, const char *what, const float *want, const float *got,
                         size_t count)
{
    float *host = msa_calloc(s->m, count, sizeof *host);
    double most = 0;
    device_copy_out(s->m, s->params.device, host, got, count * sizeof *host);
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)want[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)host[i] - (double)want[i]) <= tolerance * fmax(most, .1)))
            fail_msg("%s, %s[%zu]: %.9g but expected %.9g", s->params.device->name, what, i,
                     (double)host[i], (double)want[i]);
}

static void compare(struct scene *s, const char *group, const char *name, const float *got,
                    size_t count)
{
    const struct safetensor *t = golden(s, group, name);
    assert_int_equal(t->count, count);
    compare_part(s, t->name, t->data, got, count);
}

static void compare_gradients(struct scene *s)
{
    for (int i = 0; i < s->params.count; i++) {
        const struct parameter *one = s->params.list[i];
        if (one->var.grad)
            compare(s, "gradient", one->name, one->var.grad, one->var.count);
    }
}

/* What a case puts out, and what comes back. */
static void compare_ends(struct scene *s, const char *group, struct var *x, struct var *y)
{
    compare(s, group, "y", y->data, y->count);
    seed(s, y, group, "dy");
    tape_backward(&s->tape);
    compare(s, group, "dx", tape_gradient(x), x->count);
}

/* --- LSTM */

enum { BATCH = 4, FRAMES = 7, FEATURES = 5, HIDDEN = 4, LAYERS = 2 };
static const int32_t own[BATCH] = {7, 3, 1, 5};

static void two_layers_both_ways(struct msa *m)
{
    struct scene s = scene(m);
    struct bilstm_layer layers[LAYERS] = {
        bilstm_layer(&s.params, "rnn", "_l0", FEATURES, HIDDEN),
        bilstm_layer(&s.params, "rnn", "_l1", LSTM_DIRECTIONS * HIDDEN, HIDDEN)};
    params_gradients(&s.params);
    tape_reset(&s.tape, true, 0);
    struct lengths lengths = op_lengths(&s.tape, BATCH, FRAMES, own);
    struct var *x = input(&s, "rnn", "x"), *y = x, *last[LAYERS * LSTM_DIRECTIONS];
    for (int i = 0; i < LAYERS; i++)
        y = bilstm_apply(&s.tape, &layers[i], y, &lengths, last + i * LSTM_DIRECTIONS);
    const float *want = golden(&s, "rnn", "last")->data;
    const float *slopes = golden(&s, "rnn", "dlast")->data;
    for (size_t i = 0; i < LAYERS * LSTM_DIRECTIONS; i++) {
        compare_part(&s, "last", want + i * BATCH * HIDDEN, last[i]->data, BATCH * HIDDEN);
        tape_seed(&s.tape, last[i], slopes + i * BATCH * HIDDEN);
    }
    compare_ends(&s, "rnn", x, y);
    compare_gradients(&s);
}

static void lstm_goes_both_ways_over_own_frames(void **state)
{
    (void)state;
    run_on_devices(two_layers_both_ways);
}

enum { STEPS = 3 };

static void step_by_step(struct msa *m)
{
    struct scene s = scene(m);
    struct lstm_layer l = lstm_layer(&s.params, "cell", "", 2, 5);
    struct states at = {NULL, NULL};
    struct var *steps[STEPS];
    const struct safetensor *in = golden(&s, "cell", "x");
    const float *x = in->data, *dx = golden(&s, "cell", "dx")->data;
    const float *y = golden(&s, "cell", "y")->data, *dy = golden(&s, "cell", "dy")->data;
    size_t one = in->count / STEPS, half = golden(&s, "cell", "y")->count / 2;
    params_gradients(&s.params);
    tape_reset(&s.tape, true, 0);
    for (size_t i = 0; i < STEPS; i++) {
        struct tensor host = tensor_of("x", F4, x + i * one, 2, in->shape + 1);
        at = lstm_step(&s.tape, &l, steps[i] = tape_input(&s.tape, &host, true), at);
    }
    compare_part(&s, "h", y, at.h->data, half);
    compare_part(&s, "c", y + half, at.c->data, half);
    tape_seed(&s.tape, at.h, dy);
    tape_seed(&s.tape, at.c, dy + half);
    tape_backward(&s.tape);
    for (size_t i = 0; i < STEPS; i++)
        compare_part(&s, "dx", dx + i * one, tape_gradient(steps[i]), one);
    compare_gradients(&s);
}

static void lstm_goes_on_from_a_state(void **state)
{
    (void)state;
    run_on_devices(step_by_step);
}

static void same_at_each_step(struct msa *m)
{
    struct scene s = scene(m);
    struct lstm_layer l = lstm_layer(&s.params, "same", "_l0", 3, HIDDEN);
    params_gradients(&s.params);
    tape_reset(&s.tape, true, 0);
    struct lengths lengths = op_lengths(&s.tape, BATCH, FRAMES, own);
    struct var *x = input(&s, "same", "x");
    struct states y = lstm_apply_constant(&s.tape, &l, x, FRAMES, &lengths);
    struct var *c = lstm_last(&s.tape, &l, y.c, &lengths);
    compare(&s, "same", "c", c->data, c->count);
    seed(&s, c, "same", "dc");
    compare_ends(&s, "same", x, y.h);
    compare_gradients(&s);
}

static void lstm_goes_over_one_frame_again_and_again(void **state)
{
    (void)state;
    run_on_devices(same_at_each_step);
}

/* What comes back from a step when `slope` comes back to each number of its state. */
static float first_slope(struct scene *s, const struct lstm_layer *l, float slope)
{
    float slopes[15], got;
    const struct safetensor *in = golden(s, "cell", "x");
    struct tensor host = tensor_of("x", F4, in->data, 2, in->shape + 1);
    tape_reset(&s->tape, true, 0);
    struct var *x = tape_input(&s->tape, &host, true);
    struct states y = lstm_step(&s->tape, l, x, (struct states){NULL, NULL});
    assert_int_equal(y.h->count, sizeof slopes / sizeof *slopes);
    for (size_t i = 0; i < y.h->count; i++)
        slopes[i] = slope;
    tape_seed(&s->tape, y.h, slopes);
    tape_backward(&s->tape);
    device_copy_out(s->m, s->params.device, &got, tape_gradient(x), sizeof got);
    return got;
}

static void fade(struct msa *m)
{
    struct scene s = scene(m);
    struct lstm_layer l = lstm_layer(&s.params, "cell", "", 2, 5);
    params_gradients(&s.params);
    assert_true(first_slope(&s, &l, 1e-30f) == 0);
    assert_true(first_slope(&s, &l, 1e-28f) != 0);
    assert_true(isnan(first_slope(&s, &l, NAN)));
}

static void slopes_that_fade_end_in_0(void **state)
{
    (void)state;
    run_on_devices(fade);
}

/* --- convolution */

static void convolve(struct msa *m)
{
    struct scene s = scene(m);
    struct conv_layer l = conv_layer(&s.params, "conv", 5, 6, 3);
    params_gradients(&s.params);
    tape_reset(&s.tape, true, 0);
    struct var *x = input(&s, "conv", "x");
    compare_ends(&s, "conv", x, conv_apply(&s.tape, &l, x));
    compare_gradients(&s);
}

static void convolution_is_that_of_pytorch(void **state)
{
    (void)state;
    run_on_devices(convolve);
}

static void convolve_too_few(struct msa *m)
{
    struct scene s = scene(m);
    op_conv(&s.tape, tape_zeros(&s.tape, 3, (size_t[]){1, 2, 5}),
            tape_zeros(&s.tape, 3, (size_t[]){6, 5, 3}));
}

static void convolution_needs_a_window_of_frames(void **state)
{
    (void)state;
    struct msa m = {.program = "sequences", .settings = "cpu"};
    assert_int_equal(msa_run(&m, convolve_too_few), MSA_FAILED);
    assert_string_equal(m.error, "a convolution by windows of 3 frames, but there are 2");
}

/* --- BatchNorm */

enum { WIDTH = 6, BATCHES = 4, TRAINED = 3 };

static struct batch_norm_layer norm_of(struct params *p)
{
    struct batch_norm_layer l = batch_norm_layer(p, "norm", WIDTH);
    params_gradients(p);
    return l;
}

static void normalize(struct msa *m)
{
    struct scene s = scene(m);
    struct batch_norm_layer l = norm_of(&s.params);
    for (int i = 0; i < BATCHES; i++) {
        const char *batch = msa_format(m, "norm%d", i);
        tape_reset(&s.tape, i < TRAINED, (uint32_t)i);
        struct var *x = input(&s, batch, "x"), *y = batch_norm_apply(&s.tape, &l, x);
        compare(&s, batch, "mean", l.running.mean->data, WIDTH);
        compare(&s, batch, "var", l.running.var->data, WIDTH);
        if (i < TRAINED)
            compare_ends(&s, batch, x, y);
        else
            compare(&s, batch, "y", y->data, y->count);
    }
    compare_gradients(&s);
}

static void batches_are_normalized_in_training_and_evaluation(void **state)
{
    (void)state;
    run_on_devices(normalize);
}

/* One step of training on that batch of the file. */
static void train_once(struct scene *s, const struct batch_norm_layer *l, int step)
{
    const char *batch = msa_format(s->m, "norm%d", step % TRAINED);
    params_ready_gradients(&s->params);
    tape_reset(&s->tape, true, (uint32_t)step);
    struct var *y = batch_norm_apply(&s->tape, l, input(s, batch, "x"));
    seed(s, y, batch, "dy");
    tape_backward(&s->tape);
    params_update(
        &s->params,
        &(struct optimizer){
            .lr = .1, .decay = .1, .beta1 = .9, .beta2 = .999, .eps = 1e-8, .no_decay = ""});
}

/* The CRC-32 of the file that it would leave. */
static uint32_t saved(struct scene *s, const char *path)
{
    return params_save(&s->params, path, true, NULL, 0).crc32;
}

static void stop_and_resume(struct msa *m)
{
    enum { STOP = 4, END = 9 };
    char path[] = "/tmp/msa-sequences-XXXXXX";
    struct scene whole = scene(m), resumed = scene(m);
    struct batch_norm_layer l = norm_of(&whole.params), again = norm_of(&resumed.params);
    close(mkstemp(path));
    for (int step = 0; step < END; step++) {
        if (step == STOP)
            saved(&whole, path);
        train_once(&whole, &l, step);
    }
    params_restore(&resumed.params, safetensors_open(m, path));
    for (int step = STOP; step < END; step++)
        train_once(&resumed, &again, step);
    assert_int_equal(saved(&whole, path), saved(&resumed, path));
    unlink(path);
}

static void what_is_resumed_ends_with_the_same_bytes(void **state)
{
    (void)state;
    run_on_devices(stop_and_resume);
}

/* --- frames */

static void make_words(struct msa *m)
{
    static const char *const cases[] = {"few", "many", "even"};
    struct scene s = scene(m);
    for (int i = 0; i < 3; i++) {
        tape_reset(&s.tape, true, 0);
        struct var *x = input(&s, cases[i], "x");
        compare_ends(&s, cases[i], x, op_words(&s.tape, x, 6));
    }
    tape_reset(&s.tape, true, 0);
    struct var *x = input(&s, "few", "x");
    assert_ptr_equal(op_words(&s.tape, x, 5), x);
}

static void frames_become_words(void **state)
{
    (void)state;
    run_on_devices(make_words);
}

static void take_own(struct msa *m)
{
    struct scene s = scene(m);
    tape_reset(&s.tape, true, 0);
    struct lengths lengths = op_lengths(&s.tape, BATCH, FRAMES, own);
    struct var *x = input(&s, "own", "x");
    struct var *both[] = {op_mean(&s.tape, x, BATCH, lengths.all),
                          op_mean(&s.tape, x, BATCH, lengths.last)};
    compare_ends(&s, "own", x, op_concat(&s.tape, 2, both));
}

static void own_frames_have_a_mean_and_a_last(void **state)
{
    (void)state;
    run_on_devices(take_own);
}

static void take_too_many(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    op_lengths(&t, 2, 3, (const int32_t[]){3, 4});
}

static void take_less_than_none(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    op_lengths(&t, 1, 3, (const int32_t[]){-1});
}

static void own_frames_are_there(void **state)
{
    (void)state;
    struct msa m = {.program = "sequences"};
    assert_int_equal(msa_run(&m, take_too_many), MSA_FAILED);
    assert_string_equal(m.error, "a sample of 4 frames, but there are 3");
    assert_int_equal(msa_run(&m, take_less_than_none), MSA_FAILED);
    assert_string_equal(m.error, "a sample of -1 frames, but there are 3");
}

static void join(struct msa *m)
{
    struct scene s = scene(m);
    tape_reset(&s.tape, true, 0);
    struct var *parts[] = {input(&s, "head", "x"), input(&s, "tail", "x")};
    struct var *y = op_concat_frames(&s.tape, 2, parts);
    assert_int_equal(y->shape[1], parts[0]->shape[1] + parts[1]->shape[1]);
    compare_ends(&s, "head", parts[0], y);
    compare(&s, "tail", "dx", tape_gradient(parts[1]), parts[1]->count);
}

static void sequences_stand_one_behind_the_other(void **state)
{
    (void)state;
    run_on_devices(join);
}

static void turn(struct msa *m)
{
    struct scene s = scene(m);
    tape_reset(&s.tape, true, 0);
    struct var *x = input(&s, "turned", "x"), *turned = op_turn(&s.tape, x);
    assert_int_equal(turned->shape[0], x->shape[1]);
    assert_int_equal(turned->shape[1], x->shape[0]);
    struct var *parts[] = {op_columns(&s.tape, (struct columns){turned, 1}, 3),
                           op_columns(&s.tape, (struct columns){turned, 3}, 2)};
    struct var *w = input(&s, "turned", "w"),
               *some = op_columns(&s.tape, (struct columns){w, 2}, 5);
    compare_ends(&s, "turned", x, op_linear(&s.tape, op_concat(&s.tape, 2, parts), some, NULL));
    compare(&s, "turned", "dw", tape_gradient(w), w->count);
}

static void steps_stand_before_samples(void **state)
{
    (void)state;
    run_on_devices(turn);
}

static void take_no_column(struct msa *m)
{
    struct tape t = tape_new(m, device_open(m, "cpu:base", 1), 1);
    op_columns(&t, (struct columns){tape_zeros(&t, 2, (size_t[]){2, 5}), 3}, 3);
}

static void columns_are_there(void **state)
{
    (void)state;
    struct msa m = {.program = "sequences"};
    assert_int_equal(msa_run(&m, take_no_column), MSA_FAILED);
    assert_string_equal(m.error, "3 columns from 3 on, but there are 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lstm_goes_both_ways_over_own_frames),
        cmocka_unit_test(lstm_goes_on_from_a_state),
        cmocka_unit_test(lstm_goes_over_one_frame_again_and_again),
        cmocka_unit_test(slopes_that_fade_end_in_0),
        cmocka_unit_test(convolution_is_that_of_pytorch),
        cmocka_unit_test(convolution_needs_a_window_of_frames),
        cmocka_unit_test(batches_are_normalized_in_training_and_evaluation),
        cmocka_unit_test(what_is_resumed_ends_with_the_same_bytes),
        cmocka_unit_test(frames_become_words),
        cmocka_unit_test(own_frames_have_a_mean_and_a_last),
        cmocka_unit_test(own_frames_are_there),
        cmocka_unit_test(sequences_stand_one_behind_the_other),
        cmocka_unit_test(steps_stand_before_samples),
        cmocka_unit_test(columns_are_there),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
