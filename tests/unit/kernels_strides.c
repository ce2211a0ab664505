/* Attention gives the same bytes wherever the rows of queries, keys and values are: apart, side by
 * side in one matrix, or with numbers of others in between, which it neither reads nor writes. */
#include "tests/unit/kernels_run.h"

enum { QUERY, KEY, VALUE, PARTS };

/* Where the rows of each part are in an array of `count` numbers. */
struct layout {
    size_t at[PARTS], stride[PARTS], count;
};

/* Queries and keys are as many, so that they fit side by side. */
static struct problem problems[] = {
    {.pair = &cross_pair, .n = {3, 57, 57, 2, 5}, .rate = .3f},
    {.pair = &cross_pair, .n = {2, 150, 150, 3, 8}, .kind = CROSS_MASKED},
    {.pair = &cross_pair, .n = {3, 33, 33, 2, 10}, .kind = CROSS_PADDED | CROSS_MASKED},
    {.pair = &cross_pair, .n = {5, 40, 40, 1, 96}, .rate = .3f, .kind = CROSS_SPANS},
};

static struct layout apart(size_t rows, size_t width)
{
    return (struct layout){
        {0, rows * width, 2 * rows * width}, {width, width, width}, 3 * rows * width};
}

static struct layout side_by_side(size_t rows, size_t width)
{
    return (struct layout){
        {0, width, 2 * width}, {3 * width, 3 * width, 3 * width}, 3 * rows * width};
}

static struct layout with_gaps(size_t rows, size_t width)
{
    size_t q = width + 3, k = width + 8, v = width + 5;
    return (struct layout){{2, rows * q, rows * (q + k) + 1}, {q, k, v}, rows * (q + k + v) + 1};
}

/* [count] on the device: the parts' numbers, or `value` where x is NULL, and NaN in between */
static float *place_parts(struct device *d, const struct layout *l, double *const x[], size_t rows,
                          size_t width, float value)
{
    float *host = malloc(l->count * sizeof *host);
    for (size_t i = 0; i < l->count; i++)
        host[i] = NAN;
    for (int part = 0; part < PARTS; part++)
        for (size_t i = 0; i < rows * width; i++)
            host[l->at[part] + i / width * l->stride[part] + i % width] =
                x ? (float)x[part][i] : value;
    float *to = place(d, host, l->count);
    free(host);
    return to;
}

/* The parts [rows,width] one behind the other; in between there is NaN still. */
static float *fetch_parts(struct device *d, const struct layout *l, float *from, size_t rows,
                          size_t width)
{
    size_t own = rows * width, nan = 0;
    float *host = malloc(l->count * sizeof *host), *parts = malloc(PARTS * own * sizeof *parts);
    fetch(d, host, from, l->count);
    for (size_t i = 0; i < PARTS * own; i++) {
        size_t part = i / own, row = i % own / width;
        parts[i] = host[l->at[part] + row * l->stride[part] + i % width];
        assert_false(isnan(parts[i]));
    }
    for (size_t i = 0; i < l->count; i++)
        nan += isnan(host[i]) != 0;
    assert_int_equal(nan, l->count - PARTS * own);
    free(host);
    return parts;
}

/* y and, behind it, the gradients */
struct result {
    float *y, *gradients;
};

static struct result attend(struct device *d, const struct problem *p, const struct expected *e,
                            const struct layout *l, bool add)
{
    size_t width = cross_width(p), rows = p->counts[0] / width;
    struct memory m = memory_of(d, p, e);
    struct attention shape = another(p, m.pad, m.spans);
    struct dropout drop = dropout_of(p), *dropped = p->rate > 0 ? &drop : NULL;
    float *x = place_parts(d, l, e->in, rows, width, 0);
    float *dx = place_parts(d, l, NULL, rows, width, add ? .5f : NAN);
    shape.q_stride = l->stride[QUERY], shape.k_stride = l->stride[KEY];
    shape.v_stride = l->stride[VALUE];
    d->k.attention_forward(d, m.out, m.saved[0], x + l->at[QUERY], x + l->at[KEY], x + l->at[VALUE],
                           &shape, dropped);
    d->k.attention_backward(d, dx + l->at[QUERY], dx + l->at[KEY], dx + l->at[VALUE], m.dout, m.out,
                            m.saved[0], x + l->at[QUERY], x + l->at[KEY], x + l->at[VALUE], &shape,
                            dropped, add, add, add);
    struct result result = {fetched(d, m.out, p->out), fetch_parts(d, l, dx, rows, width)};
    d->release(d, x);
    free_memory(d, &m);
    return result;
}

static void check_layout(struct device *d, const struct problem *p, const struct expected *e,
                         const struct layout *l, const struct layout *other, bool add)
{
    struct result want = attend(d, p, e, l, add), got = attend(d, p, e, other, add);
    if (memcmp(want.y, got.y, p->out * sizeof *got.y) != 0)
        fail_msg("%s: y depends on where the rows are", d->name);
    if (memcmp(want.gradients, got.gradients, PARTS * p->counts[0] * sizeof *got.gradients) != 0)
        fail_msg("%s: gradients depend on where the rows are", d->name);
    free(want.y), free(want.gradients);
    free(got.y), free(got.gradients);
}

static void rows_may_be_anywhere(void **state)
{
    struct problem *p = *state;
    struct expected e = {0};
    make_problem(p);
    draw_numbers(p, &e);
    size_t width = cross_width(p), rows = p->counts[0] / width;
    struct layout plain = apart(rows, width),
                  others[] = {side_by_side(rows, width), with_gaps(rows, width)};
    for (int i = 0; i < device_count; i++)
        for (int other = 0; other < 2; other++)
            for (int add = 0; add < 2; add++)
                check_layout(devices[i], p, &e, &plain, &others[other], add);
    free_expected(&e);
    free_problem(p);
}

static void run(struct msa *m)
{
    open_devices(m);
    test_problems(m, problems, sizeof problems / sizeof *problems, rows_may_be_anywhere);
}

int main(void)
{
    return test_program("kernels_strides", run);
}
