/* Slices as operands of every operation: results and gradients are those of variables that stand
 * alone. A slice begins where no vector does, and what its variable has besides gets no gradient.
 */
#include "common/nn/ops/ops.h"
#include "tests/unit/devices.h"

enum { OPERANDS = 3, N = 24 /* numbers of each */, GAP = 5, ALL = OPERANDS * (N + GAP) };

/* Numbers on the device that are no variables. */
struct constants {
    const float *numbers; /* [N] */
    const int32_t *ids;   /* [N]: 0, 1, 2, 0 … */
};

typedef struct var *operation(struct tape *t, struct var *const *x, const struct constants *c);

/* The first numbers of x in that shape. */
static struct var *shaped(struct tape *t, struct var *x, int rank, size_t a, size_t b, size_t c)
{
    return tape_slice(t, x, 0, rank, (size_t[]){a, b, c});
}

static const struct dropout drop = {.rate = .25f, .seed = 3};

/* --- by element and by row; operands are [4,6] */

static struct var *by_element(struct tape *t, struct var *const *x, const struct constants *c)
{
    (void)c;
    struct var *y = op_dropout(t, op_gelu(t, x[0], drop), drop);
    y = op_add(t, y, op_tanh(t, x[1], drop), BROADCAST_NONE);
    y = op_add(t, y, op_relu(t, x[2], drop), BROADCAST_NONE);
    y = op_add(t, y, op_sigmoid(t, x[0], drop), BROADCAST_NONE);
    y = op_add(t, y, op_affine(t, op_number(t, x[1]), 2, 1), BROADCAST_NONE);
    return op_add(t, y, op_clamp(t, x[2], -.5f, .5f), BROADCAST_NONE);
}

static struct var *of_two(struct tape *t, struct var *const *x, const struct constants *c)
{
    (void)c;
    struct var *y = op_divide(t, x[0], x[1], BROADCAST_NONE, 9);
    y = op_multiply(t, y, shaped(t, x[1], 1, 6, 0, 0), BROADCAST_ROW);
    y = op_multiply(t, x[2], y, BROADCAST_NONE);
    y = op_add(t, y, shaped(t, x[2], 1, 4, 0, 0), BROADCAST_COLUMN);
    return op_multiply(t, y, shaped(t, x[0], 1, 1, 0, 0), BROADCAST_NUMBER);
}

static struct var *by_row(struct tape *t, struct var *const *x, const struct constants *c)
{
    (void)c;
    struct var *y = op_multiply(t, op_softmax(t, x[0]), op_euclidean(t, x[1], 1), BROADCAST_COLUMN);
    struct var *mean = op_mean(t, x[2], 4, NULL);
    return op_concat(t, 3, (struct var *[]){y, mean, x[1]});
}

/* --- layers */

static struct var *products(struct tape *t, struct var *const *x, const struct constants *c)
{
    (void)c;
    struct var *a = shaped(t, x[0], 3, 2, 2, 6), *b = shaped(t, x[1], 3, 2, 2, 6);
    struct var *y = op_matmul(t, op_matmul(t, a, b, false, true), a, false, false);
    return op_linear(t, y, x[2], shaped(t, x[0], 1, 4, 0, 0));
}

static struct var *norms(struct tape *t, struct var *const *x, const struct constants *c)
{
    struct var *gain = shaped(t, x[2], 1, 6, 0, 0), *bias = tape_slice(t, x[2], 7, 1, &gain->count);
    struct running running = {tape_zeros(t, 1, &gain->count), tape_zeros(t, 1, &gain->count)};
    (void)c;
    struct var *y = op_norm(t, x[0], x[1], gain, bias, .1f, drop);
    return op_add(t, y, op_batch_norm(t, x[0], gain, bias, running, .1f, .1f), BROADCAST_NONE);
}

static struct var *places(struct tape *t, struct var *const *x, const struct constants *c)
{
    struct tokens tokens = {4, c->ids, c->ids + 1, c->ids + 2};
    struct var *y = op_embedding(t, tokens, x[0], x[1], x[2]);
    y = op_sinusoids(t, tape_view(t, op_add(t, y, x[1], BROADCAST_NONE), 3, (size_t[]){2, 2, 6}));
    return op_positions(t, y, shaped(t, x[0], 1, 6, 0, 0), shaped(t, x[2], 3, 1, 3, 6), drop);
}

static struct var *sequences(struct tape *t, struct var *const *x, const struct constants *c)
{
    struct states start = {shaped(t, x[1], 2, 3, 1, 0), shaped(t, x[2], 2, 3, 1, 0)};
    (void)c;
    struct states s = op_lstm(t, shaped(t, x[0], 3, 3, 2, 4), shaped(t, x[1], 2, 4, 1, 0),
                              shaped(t, x[2], 1, 4, 0, 0), start, NULL, true);
    struct var *y = op_conv(t, shaped(t, x[0], 3, 3, 4, 2), shaped(t, x[1], 3, 1, 2, 3));
    y = op_concat_frames(t, 3, (struct var *[]){s.h, y, s.c});
    return op_concat_frames(t, 2, (struct var *[]){op_words(t, shaped(t, x[2], 3, 3, 8, 1), 3), y});
}

/* Rows are turned, and parts of a row taken and added to. */
static struct var *parts(struct tape *t, struct var *const *x, const struct constants *c)
{
    (void)c;
    struct var *turned = op_turn(t, shaped(t, x[0], 3, 2, 2, 6));
    struct var *some = op_columns(t, (struct columns){x[1], 2}, 3);
    struct var *more = op_columns(t, (struct columns){x[1], 0}, 3);
    return op_concat(t, 3, (struct var *[]){tape_view(t, turned, 2, x[0]->shape), some, more});
}

static struct var *fusion(struct tape *t, struct var *const *x, const struct constants *c)
{
    struct var *of[] = {shaped(t, x[0], 2, 2, 1, 0), shaped(t, x[1], 2, 2, 1, 0),
                        shaped(t, x[0], 2, 2, 2, 0)};
    (void)c;
    struct var *w = shaped(t, x[2], 2, 2, 12, 0), *b = shaped(t, x[1], 1, 2, 0, 0);
    struct var *two = op_tensor_fusion(t, 2, of + 1, shaped(t, x[2], 2, 2, 6, 0), b, drop);
    return op_add(t, op_tensor_fusion(t, 3, of, w, b, drop), two, BROADCAST_NONE);
}

/* --- attention */

static struct attention attention(size_t heads, size_t size)
{
    struct sequences rows = {.batch = 2, .length = 2};
    return (struct attention){.heads = heads, .size = size, .queries = rows, .keys = rows};
}

static struct var *attending(struct tape *t, struct var *const *x, const struct constants *c)
{
    (void)c;
    struct var *y = op_attention(t, (struct columns){x[0], 0}, (struct columns){x[1], 0},
                                 (struct columns){x[2], 0}, attention(2, 3), drop);
    struct var *z = op_attention(t, (struct columns){x[0], 4}, (struct columns){x[0], 1},
                                 (struct columns){x[1], 2}, attention(1, 2), drop);
    return op_concat(
        t, 3, (struct var *[]){y, z, op_self_attention(t, x[2], attention(1, 2).keys, 1, drop)});
}

/* --- losses; weights and targets are constants */

static struct var *losses(struct tape *t, struct var *const *x, const struct constants *c)
{
    struct var *cosines = op_cosines(t, x[0], 2, (struct var *[]){x[1], x[2]});
    struct var *y = op_contrast(t, cosines, 1, CONTRAST_MNTX, .5f);
    y = op_add(t, y, op_cross_entropy(t, x[1], c->ids), BROADCAST_NONE);
    return op_add(t, y, op_regression(t, x[2], c->numbers, c->numbers, REGRESSION_MSE, 1),
                  BROADCAST_NONE);
}

static const struct {
    const char *name;
    operation *apply;
} operations[] = {
    {"by element", by_element}, {"of two", of_two}, {"by row", by_row},
    {"products", products},     {"norms", norms},   {"places", places},
    {"sequences", sequences},   {"parts", parts},   {"fusion", fusion},
    {"attention", attending},   {"losses", losses},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* --- alone and as slices */

/* What an operation makes of operands: its result, and the gradient with respect to all of their
 * memory. */
struct outcome {
    float y[4 * N], gradient[ALL];
    size_t count;
};

static struct constants constants_of(struct tape *t)
{
    float numbers[N];
    int32_t ids[N];
    for (int32_t i = 0; i < N; i++) {
        numbers[i] = (float)(i % 5) * .3f;
        ids[i] = i % 3;
    }
    return (struct constants){tape_upload(t, numbers, sizeof numbers),
                              tape_upload(t, ids, sizeof ids)};
}

/* All numbers that operands are made of, and more. */
static struct var *memory(struct tape *t, const float *numbers, size_t count)
{
    float none[ALL] = {0};
    struct tensor host = tensor_of("x", F4, numbers, 1, &count);
    struct var *v = tape_input(t, &host, true);
    v->grad = tape_upload(t, none, count * sizeof *none); /* as parameters have it: added to */
    return v;
}

static struct outcome apply(struct msa *m, operation *op, bool sliced)
{
    struct tape t = tape_new(m, device_open(m, m->settings, 2), 1);
    struct var *x[OPERANDS], *whole = NULL, *own[OPERANDS];
    struct outcome o = {.count = 0};
    float numbers[ALL], slopes[4 * N];
    for (size_t i = 0; i < ALL; i++)
        numbers[i] = sinf((float)i * 1.7f) * 1.5f;
    for (size_t i = 0; i < 4 * N; i++)
        slopes[i] = cosf((float)i * 2.3f);
    tape_reset(&t, true, 0);
    if (sliced)
        whole = memory(&t, numbers, ALL);
    for (size_t i = 0; i < OPERANDS; i++) {
        size_t at = i * (N + GAP) + GAP;
        own[i] = sliced ? whole : memory(&t, numbers + at, N);
        x[i] = tape_slice(&t, own[i], sliced ? at : 0, 2, (size_t[]){4, 6});
    }
    struct constants c = constants_of(&t);
    struct var *y = op(&t, x, &c);
    o.count = y->count;
    assert_in_range(o.count, 1, 4 * N);
    tape_seed(&t, y, slopes);
    tape_backward(&t);
    device_copy_out(m, t.device, o.y, y->data, y->count * sizeof *o.y);
    if (sliced)
        device_copy_out(m, t.device, o.gradient, tape_gradient(whole), sizeof o.gradient);
    for (size_t i = 0; i < OPERANDS && !sliced; i++)
        device_copy_out(m, t.device, o.gradient + i * (N + GAP) + GAP, tape_gradient(own[i]),
                        N * sizeof *o.gradient);
    return o;
}

static void compare(const char *device, const char *op, const char *what, const float *one,
                    const float *other, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(one[i] - other[i]) <= 2e-6f * fmaxf(fabsf(other[i]), 1)))
            fail_msg("%s, %s, %s[%zu]: %.9g of slices, but %.9g of variables", device, op, what, i,
                     (double)one[i], (double)other[i]);
}

static void take_slices(struct msa *m)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        struct outcome slices = apply(m, operations[i].apply, true);
        struct outcome alone = apply(m, operations[i].apply, false);
        assert_int_equal(slices.count, alone.count);
        compare(m->settings, operations[i].name, "y", slices.y, alone.y, alone.count);
        compare(m->settings, operations[i].name, "gradient", slices.gradient, alone.gradient, ALL);
    }
}

static void all_operations_take_slices(void **state)
{
    (void)state;
    run_on_devices(take_slices);
}

/* --- attention to the same columns */

/* x [4,6] and, at each of the three places, columns of it or of a view of it. */
struct same {
    size_t at[OPERANDS], size;
    bool views;
};

static void attend(struct msa *m, const struct same *s, bool shared, float *dx)
{
    struct tape t = tape_new(m, device_open(m, m->settings, 2), 1);
    float numbers[N], slopes[N], got[N];
    struct columns parts[OPERANDS];
    struct var *x = NULL;
    for (size_t i = 0; i < N; i++) {
        numbers[i] = sinf((float)i * 1.7f), slopes[i] = cosf((float)i * 2.3f);
        dx[i] = 0;
    }
    struct tensor host = tensor_of("x", F4, numbers, 2, (size_t[]){4, 6});
    tape_reset(&t, true, 0);
    for (size_t i = 0; i < OPERANDS; i++) {
        if (!x || !shared)
            x = tape_input(&t, &host, true);
        parts[i] = (struct columns){s->views && i ? tape_view(&t, x, 2, x->shape) : x, s->at[i]};
    }
    tape_seed(&t,
              op_attention(&t, parts[0], parts[1], parts[2], attention(1, s->size),
                           (struct dropout){.rate = 0}),
              slopes);
    tape_backward(&t);
    for (size_t i = 0; i < (shared ? 1 : OPERANDS); i++) {
        device_copy_out(m, t.device, got, tape_gradient(parts[i].x), sizeof got);
        for (size_t k = 0; k < N; k++)
            dx[k] += got[k];
    }
}

static void attend_to_the_same(struct msa *m)
{
    static const struct same cases[] = {
        {{0, 0, 0}, 6, false}, {{0, 0, 0}, 6, true}, {{0, 0, 3}, 3, false}, {{3, 0, 0}, 3, false},
        {{0, 3, 0}, 3, true},  {{2, 2, 2}, 2, true}, {{0, 2, 4}, 2, false}, {{0, 2, 3}, 2, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float shared[N], apart[N];
        attend(m, &cases[i], true, shared);
        attend(m, &cases[i], false, apart);
        compare(m->settings, msa_format(m, "case %zu", i), "dx", shared, apart, N);
    }
}

static void queries_keys_and_values_may_be_the_same(void **state)
{
    (void)state;
    run_on_devices(attend_to_the_same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_operations_take_slices),
        cmocka_unit_test(queries_keys_and_values_may_be_the_same),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
