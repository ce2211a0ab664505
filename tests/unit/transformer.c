/* Transformer layers: what PyTorch makes of the same (tests/oracle/transformer.py). */
#include "common/nn/layers/transformer.h"
#include "tests/unit/golden.h"

enum { BATCH = 2, QUERIES = 5, KEYS = 7, HEADS = 2, MOST = 2 };
static const struct sequences queries = {.batch = BATCH, .length = QUERIES},
                              keys = {.batch = BATCH, .length = KEYS};

/* Parameters of a layer, in the order of struct transformer_layer. */
enum { PARAMETERS = 12 };
static const char *const parameters[PARAMETERS] = {"self_attn.in_proj_weight",
                                                   "self_attn.in_proj_bias",
                                                   "self_attn.out_proj.weight",
                                                   "self_attn.out_proj.bias",
                                                   "linear1.weight",
                                                   "linear1.bias",
                                                   "linear2.weight",
                                                   "linear2.bias",
                                                   "norm1.weight",
                                                   "norm1.bias",
                                                   "norm2.weight",
                                                   "norm2.bias"};

struct stack {
    struct golden g;
    const char *name;
    struct var *learned[MOST][PARAMETERS];
    struct transformer layers;
};

static const char *name_of(const struct stack *s, const char *prefix, const char *what)
{
    return msa_format(s->g.tape.m, "%s%s.%s", prefix, s->name, what);
}

static void make_layer(struct stack *s, size_t i)
{
    struct var **p = s->learned[i];
    for (int k = 0; k < PARAMETERS; k++)
        p[k] = golden_parameter(
            &s->g, name_of(s, "", msa_format(s->g.tape.m, "%zu.%s", i, parameters[k])));
    s->layers.layers[i] =
        (struct transformer_layer){s->name,      {p[0], p[1]}, {p[2], p[3]},  {p[4], p[5]},
                                   {p[6], p[7]}, {p[8], p[9]}, {p[10], p[11]}};
}

static void make(struct stack *s, struct msa *m, const char *name, size_t count)
{
    *s = (struct stack){.g = {tape_new(m, device_open(m, m->settings, 2), 1),
                              safetensors_open(m, "tests/golden/transformer.safetensors"), 4e-6},
                        .name = name,
                        .layers = {.heads = HEADS, .eps = NORM_EPS, .count = count}};
    tape_reset(&s->g.tape, true, 0);
    for (size_t i = 0; i < count; i++)
        make_layer(s, i);
}

static struct var *input(struct stack *s, const char *what)
{
    return golden_input(&s->g, name_of(s, "", what));
}

static void check_gradient(struct stack *s, const char *what, struct var *x)
{
    golden_compare(&s->g, name_of(s, "gradient.", what), tape_gradient(x));
}

/* y, and the gradients by x and all parameters. The keys' bias has none but rounding's: it is
 * compared beside its neighbours. */
static void check(struct stack *s, struct var *x, struct var *y)
{
    struct tape *t = &s->g.tape;
    golden_compare(&s->g, name_of(s, "", "y"), y->data);
    tape_seed(t, y, golden_tensor(&s->g, name_of(s, "", "dy"))->data);
    tape_backward(t);
    check_gradient(s, "x", x);
    for (size_t i = 0; i < s->layers.count; i++)
        for (int k = 0; k < PARAMETERS; k++)
            check_gradient(s, msa_format(t->m, "%zu.%s", i, parameters[k]), s->learned[i][k]);
}

static void norms_behind(struct msa *m)
{
    static const uint8_t padding[BATCH * QUERIES] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
    struct stack s;
    make(&s, m, "behind", 1);
    s.layers.activation = ACTIVATION_RELU;
    struct var *x = input(&s, "x");
    struct sequences samples = queries;
    samples.pad = tape_upload(&s.g.tape, padding, sizeof padding);
    check(&s, x, transformer_apply(&s.g.tape, &s.layers, x, samples));
}

static void norms_in_front(struct msa *m)
{
    struct stack s;
    make(&s, m, "front", 1);
    s.layers.order = NORM_IN_FRONT;
    struct var *x = input(&s, "x");
    struct attended to = {.queries = queries, .rows = queries, .masked = true};
    check(&s, x, transformer_attend(&s.g.tape, &s.layers, x, &to));
}

static void other_sources(struct msa *m)
{
    struct stack s;
    make(&s, m, "cross", 2);
    s.layers.order = NORM_IN_FRONT;
    s.layers.activation = ACTIVATION_RELU;
    struct var *x = input(&s, "x");
    struct attended to = {.keys = input(&s, "keys"),
                          .values = input(&s, "values"),
                          .queries = queries,
                          .rows = keys,
                          .masked = true,
                          .offset = KEYS - QUERIES};
    check(&s, x, transformer_attend(&s.g.tape, &s.layers, x, &to));
    check_gradient(&s, "keys", to.keys);
    check_gradient(&s, "values", to.values);
}

/* These numbers of one tape are those of the other. */
static void same(const struct tape *t, const float *these, const struct tape *u, const float *those,
                 size_t count)
{
    float *host = msa_calloc(t->m, 2 * count, sizeof *host);
    device_copy_out(t->m, t->device, host, these, count * sizeof *host);
    device_copy_out(t->m, u->device, host + count, those, count * sizeof *host);
    for (size_t i = 0; i < count; i++)
        assert_float_equal(host[i], host[count + i], 2e-5f);
}

/* Keys and values of one source: as of two with the same numbers, the gradients added up. */
static void one_source(struct msa *m)
{
    struct stack s, other;
    struct attended to = {.queries = queries, .rows = keys, .masked = true};
    make(&s, m, "cross", 2);
    make(&other, m, "cross", 2);
    struct tape *t = &s.g.tape, *u = &other.g.tape;
    to.keys = to.values = input(&s, "keys");
    struct var *y = transformer_attend(t, &s.layers, input(&s, "x"), &to);
    struct attended two = to;
    two.keys = input(&other, "keys"), two.values = input(&other, "keys");
    struct var *z = transformer_attend(u, &other.layers, input(&other, "x"), &two);
    tape_seed(t, y, golden_tensor(&s.g, "cross.dy")->data);
    tape_seed(u, z, golden_tensor(&s.g, "cross.dy")->data);
    tape_backward(t);
    tape_backward(u);
    float one[BATCH * KEYS * 6], first[BATCH * KEYS * 6], second[BATCH * KEYS * 6];
    device_copy_out(m, t->device, one, tape_gradient(to.keys), sizeof one);
    device_copy_out(m, u->device, first, tape_gradient(two.keys), sizeof first);
    device_copy_out(m, u->device, second, tape_gradient(two.values), sizeof second);
    for (size_t i = 0; i < BATCH * KEYS * 6; i++)
        assert_float_equal(one[i], first[i] + second[i], 1e-5f);
}

/* The last rows alone: as those of all, and their gradients as where others get none. */
static void last_rows(struct msa *m)
{
    static const int32_t last[] = {QUERIES - 1, QUERIES, QUERIES + 2, QUERIES + 3},
                         seen[] = {0, QUERIES, QUERIES, QUERIES + 3};
    static const float dy[BATCH * 6] = {1, -2, 3, -4, 5, -6, 6, 5, 4, -3, -2, -1};
    struct stack all, one;
    make(&all, m, "front", 1);
    make(&one, m, "front", 1);
    struct tape *t = &all.g.tape, *u = &one.g.tape;
    all.layers.order = one.layers.order = NORM_IN_FRONT;
    struct attended to = {.queries = queries, .rows = queries, .masked = true};
    struct var *x = input(&all, "x"), *z = input(&one, "x");
    struct var *y = op_mean(t, transformer_attend(t, &all.layers, x, &to), BATCH,
                            tape_upload(t, last, sizeof last));
    to.last = tape_upload(u, last, sizeof last), to.seen = tape_upload(u, seen, sizeof seen);
    struct var *end = transformer_attend(u, &one.layers, z, &to);
    tape_seed(t, y, dy);
    tape_seed(u, end, dy);
    tape_backward(t);
    tape_backward(u);
    assert_int_equal(end->count, y->count);
    same(t, y->data, u, end->data, y->count);
    same(t, x->grad, u, z->grad, x->count);
    for (int k = 0; k < PARAMETERS; k++)
        same(t, all.learned[0][k]->grad, u, one.learned[0][k]->grad, all.learned[0][k]->count);
}

static void layers_are_those_of_pytorch(void **state)
{
    (void)state;
    run_on_devices(norms_behind);
    run_on_devices(norms_in_front);
    run_on_devices(other_sources);
}

static void keys_and_values_may_be_of_one_source(void **state)
{
    (void)state;
    run_on_devices(one_source);
}

static void last_rows_are_those_of_all(void **state)
{
    (void)state;
    run_on_devices(last_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_those_of_pytorch),
        cmocka_unit_test(last_rows_are_those_of_all),
        cmocka_unit_test(keys_and_values_may_be_of_one_source),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
