/* Buffers: forward() writes them, files and checkpoints have them, no optimizer touches them; and
 * which of them evaluation can do without. */
#include "common/nn/ops/ops.h"
#include "common/nn/params.h"
#include "tests/unit/devices.h"
#include <unistd.h>

enum { ROWS = 2, WIDTH = 3 };

/* A layer like BatchNorm: of what passes it keeps a mean over the batch, here the last one's. */
struct layer {
    struct var *weight, *running; /* [WIDTH,WIDTH], [WIDTH] */
};

static struct layer layer(struct params *p)
{
    return (struct layer){params_add(p, "norm.weight", init_normal(1), 2, (size_t[]){WIDTH, WIDTH}),
                          params_buffer(p, "norm.running_mean", init_constant(0), 1,
                                        (size_t[]){WIDTH}, BUFFER_REQUIRED)};
}

/* x [ROWS,WIDTH] -> [ROWS,WIDTH] */
static struct var *forward(struct tape *t, const struct layer *l, struct var *x)
{
    if (t->train)
        t->device->k.mean_forward(t->device, l->running->data, x->data, NULL, 1, ROWS, WIDTH);
    return op_linear(t, x, l->weight, NULL);
}

/* A step of training in lane 1, with weight decay. */
static void step(struct params *p, const struct layer *l, const float x[ROWS * WIDTH])
{
    struct tape t = tape_new(p->m, p->device, 1);
    struct tensor host = tensor_of("x", F4, x, 2, (size_t[]){ROWS, WIDTH});
    tape_reset(&t, true, 0);
    struct var *in = tape_input(&t, &host, false);
    tape_lane(&t, 1);
    struct var *y = forward(&t, l, in);
    tape_lane(&t, 0);
    params_ready_gradients(p);
    tape_seed(&t, y, NULL);
    tape_backward(&t);
    params_update(p, &(struct optimizer){.lr = .5, .decay = .5, .no_decay = ""});
}

static void check_running(const struct params *p, const struct layer *l, const float want[WIDTH])
{
    float got[WIDTH];
    device_copy_out(p->m, p->device, got, l->running->data, sizeof got);
    assert_memory_equal(got, want, sizeof got);
}

static const float first[ROWS * WIDTH] = {9, 9, 9, 9, 9, 9}, second[] = {1, 2, 3, 3, 4, 5};
static const float zeros[WIDTH], mean[WIDTH] = {2, 3, 4};

/* Two steps, and what they leave. */
static void train_and_save(struct msa *m, struct device *d, const char *path)
{
    struct params p = params_new(m, d, 1, NULL);
    struct layer l = layer(&p);
    params_gradients(&p);
    check_running(&p, &l, zeros);
    step(&p, &l, first);
    step(&p, &l, second);
    check_running(&p, &l, mean);
    assert_true(!l.running->wants && !l.running->grad && l.weight->grad);
    params_save(&p, path, true, NULL, 0);
}

/* By a training that goes on, and by an evaluation. */
static void load(struct msa *m, struct device *d, const struct safetensors *file)
{
    struct params resumed = params_new(m, d, 1, NULL), fixed = resumed;
    struct layer l = layer(&resumed);
    params_gradients(&resumed);
    params_restore(&resumed, file);
    check_running(&resumed, &l, mean);
    fixed.fixed = true;
    params_source(&fixed, file, false);
    l = layer(&fixed);
    check_running(&fixed, &l, mean);
}

static void write_save_and_load(struct msa *m)
{
    char path[] = "/tmp/msa-buffers-XXXXXX";
    struct device *d = device_open(m, m->settings, 1);
    close(mkstemp(path));
    train_and_save(m, d, path);
    struct safetensors *file = safetensors_open(m, path);
    unlink(path);
    assert_int_equal(file->count, 2 + 3); /* both, the weight's step and two moments */
    assert_non_null(safetensors_find(file, "step.norm.weight"));
    load(m, d, file);
}

static void what_forward_writes_is_saved_and_restored(void **state)
{
    (void)state;
    run_on_devices(write_save_and_load);
}

/* --- a file without it */

static const char *absent_path; /* a file of no tensors, in the run below */

static struct params evaluation(struct msa *m)
{
    struct params p = params_new(m, device_open(m, "cpu:base", 1), 1, NULL);
    p.fixed = true;
    params_source(&p, safetensors_open(m, absent_path), false);
    return p;
}

static void miss_required(struct msa *m)
{
    struct params p = evaluation(m);
    params_buffer(&p, "norm.running_mean", init_constant(0), 1, (size_t[]){WIDTH}, BUFFER_REQUIRED);
}

static void miss_optional(struct msa *m)
{
    struct params p = evaluation(m);
    struct layer l = {.running = params_buffer(&p, "standardize.mean", init_values(mean), 1,
                                               (size_t[]){WIDTH}, BUFFER_OPTIONAL)};
    check_running(&p, &l, mean);
}

static void resume_without(struct msa *m)
{
    struct params p = params_new(m, device_open(m, "cpu:base", 1), 1, NULL);
    params_buffer(&p, "standardize.mean", init_values(mean), 1, (size_t[]){WIDTH}, BUFFER_OPTIONAL);
    params_restore(&p, safetensors_open(m, absent_path));
}

static void write_nothing(struct msa *m)
{
    safetensors_write(m, absent_path, NULL, 0, (const char *const[][2]){{"program", "buffers"}}, 1);
}

static void fails(void (*body)(struct msa *m), const char *name)
{
    struct msa m = {.program = "buffers"};
    char line[256];
    snprintf(line, sizeof line, "%s: no tensor '%s', expected with shape [3]", absent_path, name);
    assert_int_equal(msa_run(&m, body), MSA_CORRUPT);
    assert_string_equal(m.error, line);
}

static void evaluation_needs_those_that_are_required(void **state)
{
    (void)state;
    char path[] = "/tmp/msa-buffers-XXXXXX";
    struct msa m = {.program = "buffers"};
    close(mkstemp(path));
    absent_path = path;
    assert_int_equal(msa_run(&m, write_nothing), MSA_OK);
    fails(miss_required, "norm.running_mean");
    fails(resume_without, "standardize.mean");
    assert_int_equal(msa_run(&m, miss_optional), MSA_OK);
    unlink(path);
}

/* --- what is trained only if that is asked for */

static void add_both(struct msa *m)
{
    struct params p = params_new(m, device_open(m, "cpu:base", 1), 1, NULL);
    struct var *asked = params_add_if(&p, true, "asked", init_constant(1), 1, (size_t[]){WIDTH}),
               *kept = params_add_if(&p, false, "kept", init_constant(1), 1, (size_t[]){WIDTH});
    params_gradients(&p);
    params_epoch(&p, 1);
    assert_true(asked->wants && asked->grad);
    assert_true(!kept->wants && !kept->grad);
    p.device->k.fill(p.device, asked->grad, 1, WIDTH);
    params_update(&p, &(struct optimizer){.lr = .5, .decay = .5, .no_decay = ""});
    float one, other;
    device_copy_out(m, p.device, &one, asked->data, sizeof one);
    device_copy_out(m, p.device, &other, kept->data, sizeof other);
    assert_true(one < 1 && other == 1);
}

static void some_are_trained_only_if_asked(void **state)
{
    (void)state;
    struct msa m = {.program = "buffers"};
    assert_int_equal(msa_run(&m, add_both), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_forward_writes_is_saved_and_restored),
        cmocka_unit_test(evaluation_needs_those_that_are_required),
        cmocka_unit_test(some_are_trained_only_if_asked),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
