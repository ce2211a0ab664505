/* Optimizers: parameters after each of 20 steps as PyTorch has them (tests/oracle/optimizers.py),
 * and the same bytes when they are saved and restored on the way. */
#include "tests/unit/golden_steps.h"
#include <string.h>
#include <unistd.h>

#define GOLDEN "tests/golden/optimizers.safetensors"

enum { WARM = 4, FROZEN = 5, ONES = 3 };

static const char *const ones[ONES] = {"layer.weight", "layer.bias", "late.weight"};

/* Their values are in the file; one is frozen for FROZEN epochs, of a step each. */
static struct params parameters(struct msa *m, struct device *d, const struct safetensors *golden)
{
    static const char *late[] = {"late.*@5"};
    static const struct option_list frozen = {1, late};
    struct params p = params_new(m, d, 1, &frozen);
    params_source(&p, golden, false);
    for (int i = 0; i < ONES; i++)
        params_add(&p, ones[i], init_constant(0), 1, (size_t[]){N});
    params_gradients(&p);
    return p;
}

/* A case's settings, from its entry in the metadata. */
static struct optimizer settings_of(const char *text)
{
    char name[16];
    double amsgrad;
    struct optimizer o = {.no_decay = "bias"};
    assert_int_equal(sscanf(text, "%15s %lf %lf %lf %lf %lf %lf", name, &amsgrad, &o.momentum,
                            &o.beta1, &o.beta2, &o.eps, &o.decay),
                     7);
    while (strcmp(rule_names[o.rule], name) != 0)
        assert_true(++o.rule < RULES);
    o.amsgrad = amsgrad != 0;
    return o;
}

static void step_once(struct params *p, const struct safetensors *golden, struct optimizer *o,
                      int step)
{
    params_epoch(p, step + 1);
    for (int i = 0; i < ONES; i++) {
        struct var *var = &p->list[i]->var;
        p->device->copy_in(p->device, var->grad, row(golden, "gradient", ones[i], step),
                           N * sizeof(float));
    }
    o->lr = optimizer_rate(.02, step, WARM, STEPS, true);
    params_update(p, o);
}

/* --- as PyTorch */

static void follow_golden(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct safetensors *golden = safetensors_open(m, GOLDEN);
    assert_int_equal(golden->metadata_count, 14);
    for (size_t i = 0; i < golden->metadata_count; i++) {
        struct optimizer o = settings_of(golden->metadata[i][1]);
        struct params p = parameters(m, d, golden);
        for (int step = 0; step < STEPS; step++) {
            step_once(&p, golden, &o, step);
            compare(&p, golden, golden->metadata[i][0], step);
        }
    }
}

static void steps_are_those_of_pytorch(void **state)
{
    (void)state;
    run_on_devices(follow_golden);
}

/* --- saved and restored */

/* What the file is to have for each updated parameter, and nothing else. */
static void check_names(const struct safetensors *file, const struct optimizer *o, int updated)
{
    int moments = 0;
    for (int k = 0; k < MOMENTS; k++) {
        char name[64];
        snprintf(name, sizeof name, "%slayer.bias", moment_names[k]);
        assert_int_equal(safetensors_find(file, name) != NULL, optimizer_keeps(o, (enum moment)k));
        moments += optimizer_keeps(o, (enum moment)k);
    }
    assert_int_equal(file->count, ONES + ONES + updated * moments);
    assert_true(*floats_in(file, "step.layer.bias", 1) > 0);
}

/* Saved after `at` steps, when the late parameter was updated or not yet, and restored. */
static struct params reload(struct msa *m, struct params *p, const struct safetensors *golden,
                            const struct optimizer *o, int at)
{
    char path[] = "/tmp/msa-optimizer-XXXXXX";
    close(mkstemp(path));
    params_save(p, path, true, NULL, 0);
    struct safetensors *file = safetensors_open(m, path);
    check_names(file, o, at > FROZEN ? ONES : ONES - 1);
    assert_true(*floats_in(file, "step.layer.weight", 1) == (float)at);
    assert_true(*floats_in(file, "step.late.weight", 1) == (float)(at > FROZEN ? at - FROZEN : 0));
    struct params again = parameters(m, p->device, golden);
    params_restore(&again, file);
    safetensors_close(m, file);
    unlink(path);
    return again;
}

static void stop_and_go_on(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct safetensors *golden = safetensors_open(m, GOLDEN);
    for (size_t i = 0; i < golden->metadata_count; i++) {
        struct optimizer o = settings_of(golden->metadata[i][1]);
        struct params whole = parameters(m, d, golden), parts = parameters(m, d, golden);
        float expected[ONES][N], got[ONES][N];
        for (int step = 0; step < STEPS; step++) {
            step_once(&whole, golden, &o, step);
            step_once(&parts, golden, &o, step);
            if (step == 2 || step == 10)
                parts = reload(m, &parts, golden, &o, step + 1);
        }
        values(&whole, expected[0]);
        values(&parts, got[0]);
        assert_memory_equal(expected, got, sizeof got);
    }
}

static void what_is_restored_goes_on(void **state)
{
    (void)state;
    run_on_devices(stop_and_go_on);
}

static void restore_for_another(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct safetensors *golden = safetensors_open(m, GOLDEN);
    struct optimizer sgd = {.rule = RULE_SGD, .no_decay = ""}, adam = {.no_decay = ""};
    struct params p = parameters(m, d, golden);
    step_once(&p, golden, &sgd, 0);
    p = reload(m, &p, golden, &sgd, 1);
    step_once(&p, golden, &adam, 1);
}

static void nothing_goes_on_without_its_moments(void **state)
{
    (void)state;
    struct msa m = {.program = "optimizer", .settings = "cpu"};
    assert_int_equal(msa_run(&m, restore_for_another), MSA_CORRUPT);
    assert_string_equal(m.error, "parameter 'layer.weight' was updated 1 times, but has no "
                                 "'exp_avg.layer.weight'");
}

static void restore_golden(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct safetensors *golden = safetensors_open(m, GOLDEN);
    struct params p = parameters(m, d, golden);
    params_restore(&p, golden);
}

static void nor_without_their_count(void **state)
{
    (void)state;
    struct msa m = {.program = "optimizer", .settings = "cpu"};
    assert_int_equal(msa_run(&m, restore_golden), MSA_CORRUPT);
    assert_string_equal(m.error, GOLDEN ": no tensor 'step.layer.weight' with a number from 0 to "
                                        "16777216");
}

/* --- said and heard */

static void say_and_hear(struct msa *m)
{
    for (int rule = 0; rule < RULES; rule++) {
        struct optimizer said = {.rule = (enum rule)rule,
                                 .lr = .25,
                                 .beta1 = .5,
                                 .beta2 = .75,
                                 .eps = .125,
                                 .decay = .0625,
                                 .no_decay = "a,b"};
        said.amsgrad = rule == RULE_ADAM;
        said.momentum = rule == RULE_SGD ? .375 : 0;
        said.waits = rule == RULE_ADAMW;
        said.clip = rule == RULE_HF_ADAMW ? 0 : .5;
        said.clip_at = rule == RULE_SGD ? CLIP_AT_UPDATE : CLIP_AT_BATCH;
        struct record g;
        record_new(m, &g);
        optimizer_say(m, &g, &said);
        struct optimizer heard = optimizer_hear(m, &g);
        struct update one = optimizer_update(&said, 3), other = optimizer_update(&heard, 3);
        assert_int_equal(heard.rule, rule);
        assert_int_equal(heard.amsgrad, said.amsgrad);
        assert_int_equal(heard.waits, said.waits);
        assert_true(heard.clip == said.clip && heard.clip_at == said.clip_at);
        assert_int_equal(value_get(&g.map, "update") != NULL, said.waits); /* as it was before */
        assert_string_equal(heard.no_decay, "a,b");
        assert_true(one.l2 == other.l2 && one.before == other.before && one.after == other.after);
        assert_true(one.step == other.step && one.momentum == other.momentum);
        assert_true(rule == RULE_SGD || (one.new1 == other.new1 && one.old2 == other.old2 &&
                                         one.root == other.root && one.eps == other.eps));
        record_free(&g);
    }
}

static void what_is_said_is_heard(void **state)
{
    (void)state;
    struct msa m = {.program = "optimizer"};
    assert_int_equal(msa_run(&m, say_and_hear), MSA_OK);
}

static void hear_another(struct msa *m)
{
    struct optimizer said = {.lr = 1, .no_decay = ""};
    struct record g;
    record_new(m, &g);
    optimizer_say(m, &g, &said);
    value map = value_map();
    value_set(m, g.zone, &map, "name", value_str(m, g.zone, "lion"));
    value_set(m, g.zone, &g.map, "optimizer", map);
    optimizer_hear(m, &g);
}

static void an_unknown_one_is_refused(void **state)
{
    (void)state;
    struct msa m = {.program = "optimizer"};
    assert_int_equal(msa_run(&m, hear_another), MSA_CORRUPT);
    assert_string_equal(m.error,
                        "way back: the gradient of step 0 names no optimizer that is known "
                        "(adamw, adam, hf-adamw, sgd)");
}

static void clip_at_another_time(struct msa *m)
{
    struct record g;
    record_new(m, &g);
    optimizer_say(m, &g, &(struct optimizer){.lr = 1, .no_decay = ""});
    value map = *value_get(&g.map, "optimizer");
    value_set(m, g.zone, &map, "clip_at", value_str(m, g.zone, "epoch"));
    value_set(m, g.zone, &g.map, "optimizer", map);
    optimizer_hear(m, &g);
}

static void an_unknown_time_to_clip_is_refused(void **state)
{
    (void)state;
    struct msa m = {.program = "optimizer"};
    assert_int_equal(msa_run(&m, clip_at_another_time), MSA_CORRUPT);
    assert_string_equal(m.error, "way back: the gradient of step 0 is to be clipped neither at "
                                 "batch nor at update");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_pytorch),
        cmocka_unit_test(what_is_restored_goes_on),
        cmocka_unit_test(nothing_goes_on_without_its_moments),
        cmocka_unit_test(nor_without_their_count),
        cmocka_unit_test(what_is_said_is_heard),
        cmocka_unit_test(an_unknown_one_is_refused),
        cmocka_unit_test(an_unknown_time_to_clip_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
