/* Initial values: the distributions, which name they are drawn by, and that they stay what they
 * were, to the bit. */
#include "common/nn/layers/bert.h"
#include "common/nn/layers/frame_encoder.h"
#include "common/nn/layers/frames.h"
#include "common/nn/layers/mlp.h"
#include "common/nn/layers/projector.h"
#include "tests/unit/devices.h"
#include <unistd.h>
#include <zlib.h>

/* --- distributions */

enum { N = 1 << 20 };

/* Of N numbers; kurtosis is that of numbers divided by their deviation, 1.8 if uniform, 3 if
 * normal. `pairs` is the mean product of neighbours, 0 if independent, in squared deviations. */
struct moments {
    double mean, deviation, kurtosis, pairs, least, most;
    double near; /* share of numbers within one deviation */
};

static struct moments moments_of(const float *x)
{
    struct moments s = {.least = INFINITY, .most = -INFINITY};
    double squares = 0, fourth = 0;
    for (size_t i = 0; i < N; i++) {
        s.mean += (double)x[i] / N;
        s.least = fmin(s.least, (double)x[i]);
        s.most = fmax(s.most, (double)x[i]);
    }
    for (size_t i = 0; i < N; i++) {
        double square = pow((double)x[i] - s.mean, 2);
        squares += square / N;
        fourth += square * square / N;
    }
    s.deviation = sqrt(squares);
    s.kurtosis = fourth / (squares * squares);
    for (size_t i = 0; i < N; i++) {
        s.near += fabs((double)x[i] - s.mean) <= s.deviation ? 1. / N : 0;
        s.pairs += i % 2 ? (double)x[i] * (double)x[i - 1] / (squares * N / 2) : 0;
    }
    return s;
}

/* Each is within five of its own standard errors. */
static void check_moments(struct init init, double deviation, double kurtosis, double near)
{
    static float x[N];
    struct random r = random_stream(3, "moments", 0);
    init_draw(init, &r, x, N);
    struct moments s = moments_of(x);
    assert_true(fabs(s.mean) <= 5 * deviation / sqrt(N));
    assert_true(fabs(s.deviation / deviation - 1) <= 5 * sqrt((kurtosis - 1) / (4 * N)));
    assert_true(fabs(s.kurtosis - kurtosis) <= 5 * sqrt(24. / N));
    assert_true(fabs(s.pairs) <= 5 / sqrt(N / 2.));
    assert_true(fabs(s.near - near) <= 5 * sqrt(near * (1 - near) / N));
    double range = init.kind == INIT_UNIFORM ? (double)init.number : 6.5 * deviation;
    double reached = init.kind == INIT_UNIFORM ? .9999 * range : 4 * deviation;
    assert_true(s.least >= -range && s.most < range && s.least < -reached && s.most > reached);
}

static void moments_and_ranges_are_those_of_the_distributions(void **state)
{
    (void)state;
    const double uniform = 1 / sqrt(3);
    check_moments(init_uniform(.25f), .25 * uniform, 1.8, uniform);
    check_moments(init_normal(.02f), (double).02f, 3, .6826894921);
    check_moments(init_xavier_uniform(2, (size_t[]){72, 24}), .25 * uniform, 1.8, uniform);
    check_moments(init_xavier_normal(2, (size_t[]){9, 23}), .25, 3, .6826894921);
}

/* The fans of PyTorch's _calculate_fan_in_and_fan_out. */
static void xavier_counts_as_pytorch_does(void **state)
{
    (void)state;
    struct init conv = init_xavier_uniform(4, (size_t[]){8, 3, 5, 2}),
                factor = init_xavier_normal(3, (size_t[]){4, 33, 1}),
                row = init_xavier_normal(2, (size_t[]){1, 4}),
                in_proj = init_xavier_uniform(2, (size_t[]){90, 30});
    assert_true(conv.kind == INIT_UNIFORM && conv.number == sqrtf(6 / 110.f));
    assert_true(factor.kind == INIT_NORMAL && factor.number == sqrtf(2 / 37.f));
    assert_true(row.kind == INIT_NORMAL && row.number == sqrtf(2 / 5.f));
    assert_true(in_proj.kind == INIT_UNIFORM && in_proj.number == sqrtf(6 / 120.f));
}

/* On every machine, whatever its library has for log. */
static void normal_numbers_are_these(void **state)
{
    (void)state;
    static double x[10000];
    struct random r = random_stream(1, "normal", 0);
    for (size_t i = 0; i < 10000; i += 2)
        random_normals(&r, x + i);
    assert_int_equal(crc32(0, (const void *)x, sizeof x), 0xfc4fe6a1);
}

/* --- parameters */

static struct params encoder(struct msa *m, struct device *d)
{
    struct params p = params_new(m, d, 7, NULL);
    struct encoder_shape shape = {.features = 5, .frames = 9, .dim = 12, .heads = 3, .layers = 3};
    encoder_layers(&p, "vision_encoder", shape);
    frames_layer(&p, "vision_encoder", shape.frames, shape.features, (float[]){1, 2, 3, 4, 5},
                 (float[]){5, 4, 3, 2, 1});
    return p;
}

/* CRCs of names and values as version 0.1.0 made them. */
static void draw_layers(struct msa *m)
{
    struct device *d = device_open(m, m->settings, 1);
    struct params frames = encoder(m, d), text = params_new(m, d, 7, NULL), projector = text,
                  mlp = text;
    struct bert_config config = {
        .words = 11, .positions = 7, .types = 2, .dim = 8, .wide = 16, .layers = 2, .heads = 2};
    bert_layers(&text, "text_encoder.model", &config, POOL_POOLER);
    projector_layers(&projector, "T_simi_proj", 6, 4, 0);
    mlp_layers(&mlp, "decoder", 2, (size_t[]){6, 5, 3});
    assert_int_equal(frames.initial, 0x63fc331a);
    assert_int_equal(text.initial, 0x407f03ee);
    assert_int_equal(projector.initial, 0x21abc06d);
    assert_int_equal(mlp.initial, 0x29125a4e);
}

static void values_are_what_they_were(void **state)
{
    (void)state;
    run_on_devices(draw_layers);
}

static const struct parameter *named(const struct params *p, const char *name)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->list[i]->name, name) == 0)
            return p->list[i];
    fail_msg("no parameter '%s'", name);
    return NULL;
}

static bool same(const struct params *p, const char *a, const char *b)
{
    const struct var *x = &named(p, a)->var, *y = &named(p, b)->var;
    float *host = msa_calloc(p->m, 2 * x->count, sizeof *host);
    assert_int_equal(x->count, y->count);
    device_copy_out(p->m, p->device, host, x->data, x->count * sizeof *host);
    device_copy_out(p->m, p->device, host + x->count, y->data, y->count * sizeof *host);
    return memcmp(host, host + x->count, x->count * sizeof *host) == 0;
}

/* The layers of a frame encoder, whatever they are called in other networks. */
static void compare_layers(struct msa *m)
{
#define LAYER "vision_encoder.encoder.transformer_encoder.layers"
    struct device *d = device_open(m, m->settings, 1);
    struct params p = encoder(m, d), other = params_new(m, d, 7, NULL);
    int compared = 0;
    for (int i = 0; i < p.count; i++) {
        const char *name = p.list[i]->name;
        if (strncmp(name, LAYER ".0", sizeof LAYER + 1) != 0)
            continue;
        for (int layer = 1; layer < 3; layer++, compared++)
            assert_true(
                same(&p, name, msa_format(m, LAYER ".%d%s", layer, name + sizeof LAYER + 1)));
    }
    assert_int_equal(compared, 24);
    assert_false(same(&p, LAYER ".0.linear1.weight", LAYER ".0.linear2.weight"));
    params_draw_as(&other, "net.layers.1", "net.layers.0");
    static const char *const names[] = {"net.layers.0.w", "net.layers.1.w", "net.layers.10.w",
                                        "net.layers.2.w"};
    for (int i = 0; i < 4; i++)
        params_add(&other, names[i], init_normal(1), 1, (size_t[]){5});
    assert_true(same(&other, names[0], names[1]));
    assert_false(same(&other, names[0], names[2]));
    assert_false(same(&other, names[0], names[3]));
}

static void a_stack_starts_equal_if_it_says_so(void **state)
{
    (void)state;
    run_on_devices(compare_layers);
}

/* Constants and given values, alone and in each part of a stack. */
static void read_values(struct msa *m)
{
    static const float values[] = {1.5f, -2, 3};
    static const char *const parts[] = {"a", "b"};
    struct device *d = device_open(m, m->settings, 1);
    struct params p = params_new(m, d, 7, NULL);
    struct var *constant = params_add(&p, "constant", init_constant(.25f), 1, (size_t[]){3});
    struct var *stack = params_stack(&p, 2, parts, init_values(values), 1, (size_t[]){3});
    float host[6];
    device_copy_out(m, d, host, constant->data, 3 * sizeof *host);
    assert_true(host[0] == .25f && host[1] == .25f && host[2] == .25f);
    device_copy_out(m, d, host, stack->data, sizeof host);
    assert_memory_equal(host, values, sizeof values);
    assert_memory_equal(host + 3, values, sizeof values);
}

static void values_are_those_given(void **state)
{
    (void)state;
    run_on_devices(read_values);
}

/* --- more numbers than are drawn, written and read at once */

static void draw_pieces(struct msa *m)
{
    const struct init inits[] = {init_uniform(.5f), init_normal(.5f)};
    size_t shape[] = {2, SAFETENSOR_PIECE + 3};
    char path[] = "/tmp/msa-init-XXXXXX";
    size_t count = shape[0] * shape[1], bytes = count * sizeof(float);
    float *expected = msa_alloc(m, bytes);
    close(mkstemp(path));
    for (int i = 0; i < 2; i++) {
        struct device *d = device_open(m, "cpu:base", 1);
        struct params drawn = params_new(m, d, 7, NULL), read = params_new(m, d, 8, NULL);
        struct random r = random_stream(7, "large", 0);
        init_draw(inits[i], &r, expected, count);
        assert_memory_equal(params_add(&drawn, "large", inits[i], 2, shape)->data, expected, bytes);
        params_save(&drawn, path, false, NULL, 0);
        params_source(&read, safetensors_open(m, path), false);
        assert_memory_equal(params_add(&read, "large", inits[i], 2, shape)->data, expected, bytes);
        assert_int_equal(read.initial, drawn.initial);
    }
    unlink(path);
}

static void many_numbers_are_those_that_fewer_at_a_time_make(void **state)
{
    struct msa m = {.program = "init"};
    (void)state;
    assert_int_equal(msa_run(&m, draw_pieces), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_and_ranges_are_those_of_the_distributions),
        cmocka_unit_test(xavier_counts_as_pytorch_does),
        cmocka_unit_test(normal_numbers_are_these),
        cmocka_unit_test(values_are_what_they_were),
        cmocka_unit_test(a_stack_starts_equal_if_it_says_so),
        cmocka_unit_test(values_are_those_given),
        cmocka_unit_test(many_numbers_are_those_that_fewer_at_a_time_make),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
