/* The gradients with respect to parameters: which have one, that each has its own place, and that
 * all are cleared at once. */
#include "common/nn/params_internal.h"
#include "tests/unit/devices.h"

enum { N = 9, PARTS = 3, MOST = 8 };

static const char *const never[] = {"never.*", "part.1"};
static const struct option_list frozen = {2, (const char **)never};

static struct params parameters(struct msa *m, struct device *d, bool fixed)
{
    static const char *const parts[PARTS] = {"part.0", "part.1", "part.2"};
    struct params p = params_new(m, d, 1, &frozen);
    p.fixed = fixed;
    params_add(&p, "first", init_constant(1), 1, (size_t[]){N});
    params_add(&p, "never.a", init_constant(1), 1, (size_t[]){N});
    params_stack(&p, PARTS, parts, init_constant(1), 1, (size_t[]){N});
    params_stack(&p, 1, (const char *const[]){"never.b"}, init_constant(1), 1, (size_t[]){N});
    params_buffer(&p, "buffer", init_constant(1), 1, (size_t[]){1}, BUFFER_REQUIRED);
    params_add(&p, "last", init_constant(1), 1, (size_t[]){N});
    params_gradients(&p);
    return p;
}

/* Parameter i's gradient holds these numbers: first + i, or 0. */
static void check(struct params *p, int i, float first)
{
    float got[N];
    device_copy_out(p->m, p->device, got, p->list[i]->var.grad, sizeof got);
    for (int k = 0; k < N; k++)
        if (got[k] != (first != 0 ? first + (float)i : 0))
            fail_msg("%s, %s [%d]: %g", p->device->name, p->list[i]->name, k, (double)got[k]);
}

static void lay_and_clear(struct msa *m)
{
    static const bool has[MOST] = {true, false, true, true, true, false, false, true};
    struct params p = parameters(m, device_open(m, m->settings, 2), false);
    assert_int_equal(p.count, MOST);
    for (int i = 0; i < MOST; i++) {
        assert_int_equal(p.list[i]->var.grad != NULL, has[i]);
        if (!has[i])
            continue;
        check(&p, i, 0);
        p.device->k.fill(p.device, p.list[i]->var.grad, 1 + (float)i, N);
    }
    for (int i = 0; i < MOST; i++)
        if (has[i])
            check(&p, i, 1);
    for (int part = 0; part < PARTS; part++) /* one behind the other, as the values are */
        assert_ptr_equal(p.list[2 + part]->var.grad, p.list[2]->stack->var.grad + part * N);
    params_ready_gradients(&p);
    for (int i = 0; i < MOST; i++)
        if (has[i])
            check(&p, i, 0);
}

static void each_has_its_place_and_all_are_cleared(void **state)
{
    (void)state;
    run_on_devices(lay_and_clear);
}

static int fills;

static void count_fill(struct device *d, float *x, float number, size_t n)
{
    (void)d, (void)x, (void)number, (void)n;
    fills++;
}

static void count_fills(struct msa *m)
{
    struct device *d = device_open(m, "cpu", 2);
    struct params trained = parameters(m, d, false), not = parameters(m, d, true);
    d->k.fill = count_fill;
    params_ready_gradients(&trained);
    assert_int_equal(fills, 1);
    for (int i = 0; i < MOST; i++)
        assert_null(not .list[i]->var.grad);
    params_ready_gradients(&not );
    assert_int_equal(fills, 1);
}

static void one_kernel_clears_them(void **state)
{
    (void)state;
    struct msa m = {.program = "gradients"};
    assert_int_equal(msa_run(&m, count_fills), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_place_and_all_are_cleared),
        cmocka_unit_test(one_kernel_clears_them),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
