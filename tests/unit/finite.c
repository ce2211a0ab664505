/* NaN and infinities in records (finite.h). */
#include "common/stream/finite.h"
#include "tests/unit/stream.h"
#include <math.h>

enum { COUNT = 5000 }; /* more than a few blocks, and no whole number of them */

/* Wherever it is, and however the memory is aligned. */
static void every_element_of_floats(void **state)
{
    (void)state;
    static unsigned char bytes[4 * COUNT + 4];
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY}, largest = 3.4028234e38F;
    for (size_t shift = 0; shift < 4; shift++) {
        unsigned char *floats = bytes + shift;
        memset(floats, 0, 4 * COUNT);
        memcpy(floats + 4 * 7, &largest, 4);
        struct tensor t = tensor_of("x", F4, floats, 2, (size_t[]){COUNT / 5, 5});
        assert_int_equal(tensor_nonfinite(&t), COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            memcpy(floats + 4 * i, &bad[i % 4], 4);
            assert_int_equal(tensor_nonfinite(&t), i);
            memset(floats + 4 * i, 0, 4);
        }
    }
}

static void other_dtypes(void **state)
{
    (void)state;
    double doubles[] = {1e300, 0, -INFINITY};
    uint16_t halves[] = {0x7bff, 0x7c00, 0x7e00}; /* the largest, infinity, NaN */
    uint32_t whole[] = {0x7f800000, 0xffffffff};
    struct tensor t = tensor_of("x", F8, doubles, 1, (size_t[]){3});
    assert_int_equal(tensor_nonfinite(&t), 2);
    t = tensor_of("x", F2, halves, 1, (size_t[]){3});
    assert_int_equal(tensor_nonfinite(&t), 1);
    t = tensor_of("x", U4, whole, 1, (size_t[]){2});
    assert_int_equal(tensor_nonfinite(&t), 2);
    t = tensor_of("x", F4, NULL, 2, (size_t[]){0, 3});
    assert_int_equal(tensor_nonfinite(&t), 0);
}

/* --- records --- */

static void set_id(struct record *r)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    value id = value_array();
    for (int i = 0; i < 5; i++)
        value_push(r->m, r->zone, &id, value_str(r->m, r->zone, names[i]));
    value_set(r->m, r->zone, &r->map, "id", id);
    r->samples = 5;
}

static struct record record_of(struct msa *m)
{
    struct record r;
    record_new(m, &r);
    r.epoch = 2, r.step = 17;
    strcpy(r.split, "train");
    set_id(&r);
    return r;
}

static void losses_after_tensors(struct msa *m)
{
    static const float y[] = {0, 1, 2, 3, INFINITY};
    struct record r = record_of(m);
    struct nonfinite n;
    value losses = value_map(), weights = value_map();
    value_set(m, r.zone, &losses, "msr", value_of_int(1));
    value_set(m, r.zone, &weights, "cl", value_of_real(NAN));
    value_set(m, r.zone, &r.map, "loss", losses);
    assert_false(record_nonfinite(&r, &n));
    value_set(m, r.zone, &r.map, "weight", weights);
    assert_true(record_nonfinite(&r, &n));
    assert_string_equal(n.kind, "weight");
    assert_string_equal(n.name, "cl");
    value_set(m, r.zone, &losses, "msc", value_of_real(INFINITY));
    value_set(m, r.zone, &r.map, "loss", losses);
    assert_true(record_nonfinite(&r, &n));
    assert_string_equal(n.kind, "loss");
    assert_true(isinf(n.number) && !n.tensor);
    record_put(m, &r, tensor_of("y", F4, y, 1, (size_t[]){5}));
    assert_true(record_nonfinite(&r, &n));
    assert_string_equal(n.kind, "tensor");
    assert_int_equal(n.at, 4);
    record_check_finite(&r, &r, true); /* nobody asked for it */
    record_free(&r);
}

static void a_tensor(struct msa *m)
{
    static const float h[] = {0, 0, 0, NAN, INFINITY, 1, -INFINITY, 1, 1, -NAN};
    struct record r = record_of(m);
    record_put(m, &r, tensor_of("h_text", F4, h, 2, (size_t[]){5, 2}));
    record_check_finite(&r, &r, true);
}

static void a_loss(struct msa *m)
{
    struct record r = record_of(m);
    value losses = value_map();
    value_set(m, r.zone, &losses, "msr", value_of_real(NAN));
    value_set(m, r.zone, &r.map, "loss", losses);
    record_check_finite(&r, &r, false);
}

static void a_gradient(struct msa *m)
{
    static const float d[] = {0, 0, 0, -INFINITY, 0};
    struct record r = record_of(m), g;
    record_new(m, &g);
    g.epoch = 2, g.step = 17;
    record_put(m, &g, tensor_of("y", F4, d, 1, (size_t[]){5}));
    record_check_finite(&g, &r, false);
}

static void a_gradient_of_nobody(struct msa *m)
{
    static const float d[] = {0, 0, 0, -INFINITY, 0};
    struct record g;
    record_new(m, &g);
    record_put(m, &g, tensor_of("y", F4, d, 1, (size_t[]){5}));
    record_check_finite(&g, NULL, false);
}

static void says(void (*body)(struct msa *), const char *expected)
{
    struct msa m = {.program = "msa-test", .common = {.check_finite = true}};
    assert_int_equal(msa_run(&m, body), MSA_FAILED);
    assert_string_equal(m.error, expected);
}

static void the_search(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test"};
    assert_int_equal(msa_run(&m, losses_after_tensors), MSA_OK);
}

static void the_line(void **state)
{
    (void)state;
    says(a_tensor, "epoch 2, step 17 (train): writes tensor 'h_text' with nan at [1,1], in samples "
                   "1 'b', 2 'c', 3 'd' and 1 more");
    says(a_loss, "epoch 2, step 17 (train): reads loss 'msr' with nan of samples 0 'a', 1 'b', 2 "
                 "'c' and 2 more");
    says(a_gradient, "epoch 2, step 17 (train): reads gradient by 'y' with -inf at [3], in samples "
                     "3 'd'");
    says(a_gradient_of_nobody, "epoch 0, step 0: reads gradient by 'y' with -inf at [3], in "
                               "samples 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_of_floats),
        cmocka_unit_test(other_dtypes),
        cmocka_unit_test(the_search),
        cmocka_unit_test(the_line),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
