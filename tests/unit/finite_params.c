/* Whether parameters are finite, on each device: wherever one is that is not, and in buffers too.
 */
#include "common/nn/params.h"
#include "tests/unit/devices.h"

enum { ROWS = 700, COLUMNS = 800, N = ROWS * COLUMNS }; /* more than is looked at at once */

/* A matrix, two parts of a stack, and a buffer. */
static struct params parameters(struct msa *m, struct device *d)
{
    static const char *const parts[] = {"a", "b"};
    struct params p = params_new(m, d, 1, NULL);
    params_add(&p, "matrix", init_uniform(1), 2, (size_t[]){ROWS, COLUMNS});
    params_stack(&p, 2, parts, init_constant(1), 1, (size_t[]){3});
    params_buffer(&p, "running", init_values((float[]){1, 2}), 1, (size_t[]){2}, BUFFER_REQUIRED);
    params_gradients(&p);
    return p;
}

/* The element is `bad` for a while. */
static void spoil(struct params *p, int i, size_t at, float bad)
{
    const float good = .5f;
    float *element = p->list[i]->var.data + at;
    p->device->copy_in(p->device, element, &bad, sizeof bad);
    assert_false(params_finite(p));
    p->device->copy_in(p->device, element, &good, sizeof good);
    assert_true(params_finite(p));
}

static void check_device(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 1);
    struct params p = parameters(m, d);
    const float most = 3.4028234e38F;
    assert_true(params_finite(&p));
    d->copy_in(d, p.list[0]->var.data, &most, sizeof most);
    assert_true(params_finite(&p));
    spoil(&p, 0, 0, NAN);
    spoil(&p, 0, (1 << 18) - 1, INFINITY);
    spoil(&p, 0, 1 << 18, -INFINITY);
    spoil(&p, 0, N - 1, NAN);
    spoil(&p, 1, 2, NAN);
    spoil(&p, 2, 0, INFINITY);
    spoil(&p, 3, 1, NAN); /* the buffer */
}

static void on_each_device(void **state)
{
    (void)state;
    run_on_devices(check_device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_each_device)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
