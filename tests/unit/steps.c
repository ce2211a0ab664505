/* An optimizer step of several records: parameters after each of 20 records as PyTorch has them
 * (tests/oracle/steps.py), and the same bytes when they are saved and restored inside a group. */
#include "tests/unit/golden_steps.h"
#include <string.h>
#include <unistd.h>

#define GOLDEN "tests/golden/steps.safetensors"

enum { EPOCH = 7, ONES = 2, CASES = 24 };

static const char *const ones[ONES] = {"layer.weight", "layer.bias"};

/* How the steps of a case are made. */
struct a_case {
    const char *name;
    struct optimizer optimizer;
    long accumulate;
    char rates[64], decays[64], spared[64]; /* as options have them; "-": not given */
};

static struct a_case case_of(const char *const text[2])
{
    char rule[16], at[16];
    struct a_case c = {.name = text[0],
                       .optimizer = {.beta1 = .9, .beta2 = .999, .eps = 1e-8, .decay = .1}};
    assert_int_equal(sscanf(text[1], "%15s %ld %lf %15s %63s %63s %63s", rule, &c.accumulate,
                            &c.optimizer.clip, at, c.rates, c.decays, c.spared),
                     7);
    while (strcmp(clip_at_names[c.optimizer.clip_at], at) != 0)
        assert_true(++c.optimizer.clip_at <= CLIP_AT_UPDATE);
    while (strcmp(rule_names[c.optimizer.rule], rule) != 0)
        assert_true(++c.optimizer.rule < RULES);
    return c;
}

static struct shares shares(struct msa *m, const char *option, const char *text)
{
    return shares_parse(m, option, *text == '-' ? NULL : text, "text|vision", 0, 10);
}

/* The first is of text, the second of vision. */
static struct params parameters(struct msa *m, struct device *d, const struct safetensors *golden,
                                const struct a_case *c)
{
    struct params p = params_new(m, d, 1, NULL);
    params_source(&p, golden, false);
    for (int i = 0; i < ONES; i++) {
        p.modality = i;
        params_add(&p, ones[i], init_constant(0), 1, (size_t[]){N});
    }
    p.rates = shares(m, "lr-scale", c->rates);
    p.decays = shares(m, "decay", c->decays);
    params_check_named(&p);
    params_gradients(&p);
    params_epoch(&p, 1);
    return p;
}

/* What a backward pass does to the gradient. */
static void add_gradient(struct params *p, struct var *var, const float *more)
{
    float sum[N];
    device_copy_out(p->m, p->device, sum, var->grad, sizeof sum);
    for (int k = 0; k < N; k++)
        sum[k] += more[k];
    p->device->copy_in(p->device, var->grad, sum, sizeof sum);
}

static void step_once(struct params *p, const struct safetensors *golden, const struct a_case *c,
                      int step)
{
    struct optimizer o = c->optimizer;
    o.no_decay = c->spared;
    o.lr = .02 * (STEPS - step) / STEPS;
    o.waits = optimizer_waits(c->accumulate, step, EPOCH);
    params_ready_gradients(p);
    for (int i = 0; i < ONES; i++)
        add_gradient(p, &p->list[i]->var, row(golden, "gradient", ones[i], step));
    params_update(p, &o);
}

/* --- as PyTorch */

static void follow_golden(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 2);
    struct safetensors *golden = safetensors_open(m, GOLDEN);
    assert_int_equal(golden->metadata_count, CASES);
    for (size_t i = 0; i < golden->metadata_count; i++) {
        struct a_case c = case_of(golden->metadata[i]);
        struct params p = parameters(m, d, golden, &c);
        for (int step = 0; step < STEPS; step++) {
            step_once(&p, golden, &c, step);
            compare(&p, golden, c.name, step);
        }
    }
}

static void steps_are_those_of_pytorch(void **state)
{
    (void)state;
    run_on_devices(follow_golden);
}

/* --- saved and restored */

/* Gradients are in the file where a group has begun; their number is then the parameters'. */
static struct params reload(struct msa *m, struct params *p, const struct safetensors *golden,
                            const struct a_case *c, bool inside)
{
    char path[] = "/tmp/msa-steps-XXXXXX";
    close(mkstemp(path));
    params_save(p, path, true, NULL, 0);
    struct safetensors *file = safetensors_open(m, path);
    for (int i = 0; i < ONES; i++) {
        char name[64];
        snprintf(name, sizeof name, "grad.%s", ones[i]);
        assert_int_equal(safetensors_find(file, name) != NULL, inside);
    }
    struct params again = parameters(m, p->device, golden, c);
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
        struct a_case c = case_of(golden->metadata[i]);
        struct params whole = parameters(m, d, golden, &c), parts = parameters(m, d, golden, &c);
        float expected[ONES][N], got[ONES][N];
        for (int step = 0; step < STEPS; step++) {
            step_once(&whole, golden, &c, step);
            step_once(&parts, golden, &c, step);
            parts = reload(m, &parts, golden, &c, optimizer_waits(c.accumulate, step, EPOCH));
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

/* --- groups */

static void an_epoch_ends_a_group(void **state)
{
    (void)state;
    for (long step = 0; step < 3 * EPOCH; step++) {
        long of_epoch = step % EPOCH; /* from 0 */
        assert_false(optimizer_waits(1, step, EPOCH));
        assert_int_equal(optimizer_waits(3, step, EPOCH), of_epoch % 3 != 2 && of_epoch != 6);
        assert_int_equal(optimizer_waits(EPOCH + 1, step, EPOCH), of_epoch != 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_pytorch),
        cmocka_unit_test(what_is_restored_goes_on),
        cmocka_unit_test(an_epoch_ends_a_group),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
