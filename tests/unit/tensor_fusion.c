/* Tensor fusion as TFN and MTFN have it: f of the first batch of their golden trajectories, and the
 * gradient with respect to its parameters, by way of the head and the loss. (The kernels against
 * the product as a whole: kernels.c.) */
#include "common/nn/layers/tensor_fusion.h"
#include "common/dataset/dataset.h"
#include "tests/unit/golden.h"

static const double tolerance = 2e-6;
static const char prefix[] = "post_fusion_layer_1";

struct trajectory {
    const char *folder;
    float weight; /* of the joint task */
};
static const struct trajectory tfn = {"tests/golden/models/tfn", 1};
static const struct trajectory mtfn = {"tests/golden/models/mtfn", .6f};

static struct golden golden(struct msa *m, const struct trajectory *of, const char *file)
{
    char *path = msa_format(m, "%s/%s.safetensors", of->folder, file);
    return (struct golden){.file = safetensors_open(m, path), .tolerance = tolerance};
}

/* The labels of the first `count` samples, on the device. */
static const float *labels(struct tape *t, const struct trajectory *of, size_t count)
{
    struct dataset *set = dataset_open(t->m, msa_format(t->m, "%s/data.pkl", of->folder), NULL);
    float *host = msa_calloc(t->m, count, sizeof *host);
    for (size_t i = 0; i < count; i++)
        dataset_read(set, TRAIN, set->labels[LABEL_JOINT], i, NON_FINITE_FAIL, host + i);
    const float *there = tape_upload(t, host, count * sizeof *host);
    dataset_close(set);
    return there;
}

/* The loss of y, between -3 and 3, as the head makes it of f. */
static struct var *loss(struct tape *t, struct params *p, const struct trajectory *of,
                        struct var *f)
{
    size_t width = f->shape[1], batch = f->shape[0];
    struct linear_layer first = linear_layer(p, "post_fusion_layer_2", width, width),
                        last = linear_layer(p, "post_fusion_layer_3", width, 1);
    const struct dropout none = {.rate = 0};
    struct var *y = op_relu(t, linear_apply(t, &first, f), none);
    y = op_affine(t, op_sigmoid(t, linear_apply(t, &last, y), none), 6, -3);
    struct var *l1 = op_regression(t, y, labels(t, of, batch), NULL, REGRESSION_L1, 0);
    return op_affine(t, l1, of->weight, 0);
}

static void follow(struct msa *m, const struct trajectory *of)
{
    static const char *const names[FUSED] = {"h_audio", "h_vision", "h_text"};
    struct device *d = device_open(m, m->settings, 2);
    struct params p = params_new(m, d, 1, NULL);
    struct golden g = golden(m, of, "forward0"), grad0 = golden(m, of, "fuse.grad0");
    g.tape = grad0.tape = tape_new(m, d, 1);
    params_source(&p, golden(m, of, "fuse.init").file, false);
    params_source(&p, golden(m, of, "predict.init").file, false);
    size_t widths[FUSED], out = golden_tensor(&g, "f")->shape[1];
    struct var *parts[FUSED];
    tape_reset(&g.tape, true, 0);
    for (int i = 0; i < FUSED; i++) {
        parts[i] = golden_input(&g, names[i]);
        widths[i] = parts[i]->shape[1];
    }
    struct linear_layer l = tensor_fusion_layer(&p, prefix, FUSED, widths, out);
    params_gradients(&p);
    struct var *f = tensor_fusion_apply(&g.tape, &l, FUSED, parts, (struct dropout){.rate = 0});
    golden_compare(&g, "f", f->data);
    tape_seed(&g.tape, loss(&g.tape, &p, of, f), NULL);
    tape_backward(&g.tape);
    golden_compare(&grad0, "post_fusion_layer_1.weight", l.weight->grad);
    golden_compare(&grad0, "post_fusion_layer_1.bias", l.bias->grad);
}

static void follow_both(struct msa *m)
{
    follow(m, &tfn);
    follow(m, &mtfn);
}

static void numbers_and_gradients_are_those_of_pytorch(void **state)
{
    (void)state;
    run_on_devices(follow_both);
}

/* --- initial values, and what is too large */

static void draw_small(struct msa *m)
{
    struct params p = params_new(m, device_open(m, "cpu:base", 1), 1, NULL);
    struct linear_layer l = tensor_fusion_layer(&p, prefix, 2, (size_t[]){2, 4}, 300);
    float most = 0;
    assert_int_equal(l.weight->shape[1], 15);
    for (size_t i = 0; i < l.weight->count; i++)
        most = fmaxf(most, fabsf(l.weight->data[i]));
    assert_true(most <= 1 / sqrtf(15) && most > .99f / sqrtf(15));
}

static void make_large(struct msa *m)
{
    struct params p = params_new(m, device_open(m, "cpu:base", 1), 1, NULL);
    tensor_fusion_layer(&p, prefix, FUSED, (size_t[]){2000, 2000, 2000}, 5);
}

static void weights_are_of_the_product(void **state)
{
    struct msa m = {.program = "tensor_fusion"};
    (void)state;
    assert_int_equal(msa_run(&m, draw_small), MSA_OK);
    assert_int_equal(msa_run(&m, make_large), MSA_USAGE);
    assert_string_equal(m.error, "'post_fusion_layer_1.weight' of 5 x (2001 x 2001 x 2001) "
                                 "numbers, and at most 2147483647 are possible");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_gradients_are_those_of_pytorch),
        cmocka_unit_test(weights_are_of_the_product),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
