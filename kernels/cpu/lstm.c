/* The recurrence of an LSTM. A block of samples goes through all steps by itself, in one thread:
 * its state stays in the cache, and threads need not wait for one another.
 *
 * All samples are at the same place of their sequences at a time, in both directions, so that the
 * state before a step is rows of one matrix: a sample that does not take the step keeps its own. */
#include "kernels/lstm.h"
#include "kernels/cpu/cpu.h"
#include <string.h>

enum { SAMPLES = 16 /* of a block */ };

struct work {
    const struct lstm *shape;
    const float *h, *c, *h0, *c0; /* of all steps, and of the one before the first */
    const float *zeros;           /* [hidden], in place of h0 and c0 that are NULL */
};

/* h or c of the samples of a batch: row b is at first + b stride. */
struct state {
    const float *first;
    size_t stride;
};

static struct state state_before(const struct work *w, size_t step, const float *all,
                                 const float *start)
{
    size_t hidden = w->shape->hidden;
    if (step > 0)
        return (struct state){all + lstm_place(w->shape, step - 1) * hidden,
                              w->shape->length * hidden};
    return start ? (struct state){start, hidden} : (struct state){w->zeros, 0};
}

static struct state h_before(const struct work *w, size_t step)
{
    return state_before(w, step, w->h, w->h0);
}

static struct state c_before(const struct work *w, size_t step)
{
    return state_before(w, step, w->c, w->c0);
}

static const float *row_of(struct state state, size_t b)
{
    return state.first + b * state.stride;
}

static bool takes(const struct lstm *shape, size_t b, size_t place)
{
    return !shape->lengths || place < (size_t)shape->lengths[b];
}

static bool some_take(const struct lstm *shape, size_t first, size_t end, size_t place)
{
    bool some = false;
    for (size_t b = first; b < end; b++)
        some = some || takes(shape, b, place);
    return some;
}

/* to[columns,rows] is the transpose of x[rows,columns] */
static void turn(const struct device *d, float *to, const float *x, size_t rows, size_t columns)
{
    int threads = workers(d, rows * columns);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++)
            to[c * rows + r] = x[r * columns + c];
}

/* --- forward */

/* gates are sums at first */
static void cell_forward(float *h, float *c, float *gates, const float *before, size_t n)
{
    float *i = gates, *f = i + n, *g = f + n, *o = g + n;
#pragma omp simd
    for (size_t j = 0; j < n; j++) {
        struct gates cell = lstm_gates((struct gates){i[j], f[j], g[j], o[j]});
        i[j] = cell.i, f[j] = cell.f, g[j] = cell.g, o[j] = cell.o;
        c[j] = cell.f * before[j] + cell.i * cell.g;
        h[j] = cell.o * tanhf(c[j]);
    }
}

static void add_rows(float *to, const float *x, const float *b, size_t n)
{
#pragma omp simd
    for (size_t j = 0; j < n; j++)
        to[j] = x[j] + b[j];
}

/* The sums of the gates of a block's samples, where one of them takes the step. */
static void block_sums(const struct device *d, const struct work *w, float *gates, const float *x,
                       const float *turned, const float *b, size_t first, size_t end, size_t step)
{
    const struct lstm *s = w->shape;
    size_t n = s->hidden, place = lstm_place(s, step);
    struct state before = h_before(w, step);
    for (size_t sample = first; sample < end; sample++) {
        size_t at = (sample * s->length + place) * 4 * n;
        add_rows(gates + at, x + at, b, 4 * n);
    }
    if (before.stride)
        cpu_product(d, 'N', 'N', end - first, 4 * n, n, 1, row_of(before, first), before.stride,
                    turned, 4 * n, 1, gates + (first * s->length + place) * 4 * n,
                    s->length * 4 * n);
}

static void block_states(const struct work *w, float *h, float *c, float *gates, size_t first,
                         size_t end, size_t step)
{
    const struct lstm *s = w->shape;
    size_t n = s->hidden, place = lstm_place(s, step);
    struct state h_old = h_before(w, step), c_old = c_before(w, step);
    for (size_t b = first; b < end; b++) {
        size_t row = b * s->length + place;
        if (takes(s, b, place)) {
            cell_forward(h + row * n, c + row * n, gates + row * 4 * n, row_of(c_old, b), n);
            continue;
        }
        memcpy(h + row * n, row_of(h_old, b), n * sizeof *h);
        memcpy(c + row * n, row_of(c_old, b), n * sizeof *c);
    }
}

void cpu_lstm_forward(struct device *d, float *h, float *c, float *gates, const float *x,
                      const float *w, const float *b, const float *h0, const float *c0,
                      const struct lstm *shape)
{
    size_t n = shape->hidden;
    float *turned = cpu_scratch(d, (4 * n + 1) * n * sizeof *turned);
    if (!turned)
        return;
    float *zeros = turned + 4 * n * n;
    memset(zeros, 0, n * sizeof *zeros);
    turn(d, turned, w, 4 * n, n);
    struct work work = {shape, h, c, h0, c0, zeros};
    int threads = workers(d, shape->batch * shape->length * n * (n + 8));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t first = 0; first < shape->batch; first += SAMPLES) {
        size_t end = least(shape->batch, first + SAMPLES);
        for (size_t step = 0; step < shape->length; step++) {
            if (some_take(shape, first, end, lstm_place(shape, step)))
                block_sums(d, &work, gates, x, turned, b, first, end, step);
            block_states(&work, h, c, gates, first, end, step);
        }
    }
}

/* --- backward */

/* What reaches a step of each sample, [batch,hidden] each. */
struct carry {
    float *h, *c;
};

/* slopes by one sample's gates; c goes on to the step before, and h is done with */
static void cell_backward(float *slopes, float *carry_h, float *carry_c, const float *gates,
                          const float *before, const float *c, size_t n)
{
    const float *i = gates, *f = i + n, *g = f + n, *o = g + n;
    float *di = slopes, *df = di + n, *dg = df + n, *d_o = dg + n;
#pragma omp simd
    for (size_t j = 0; j < n; j++) {
        float dc = carry_c[j];
        struct gates cell = {i[j], f[j], g[j], o[j]};
        struct gates by = lstm_slopes(cell, before[j], c[j], carry_h[j], &dc);
        di[j] = by.i, df[j] = by.f, dg[j] = by.g, d_o[j] = by.o;
        carry_c[j] = dc;
        carry_h[j] = 0;
    }
}

/* to[n] += x[n], which may be NULL */
static void add_to(float *to, const float *x, size_t n)
{
    if (x)
        add_rows(to, to, x, n);
}

static void block_slopes(const struct work *w, struct carry carry, float *slopes, const float *dh,
                         const float *dc, const float *gates, size_t first, size_t end, size_t step)
{
    const struct lstm *s = w->shape;
    size_t n = s->hidden, place = lstm_place(s, step);
    struct state before = c_before(w, step);
    for (size_t b = first; b < end; b++) {
        size_t row = b * s->length + place;
        float *own = slopes + row * 4 * n, *h = carry.h + b * n, *c = carry.c + b * n;
        add_to(h, dh ? dh + row * n : NULL, n);
        add_to(c, dc ? dc + row * n : NULL, n);
        if (takes(s, b, place))
            cell_backward(own, h, c, gates + row * 4 * n, row_of(before, b), w->c + row * n, n);
        else
            memset(own, 0, 4 * n * sizeof *own);
    }
}

/* The gradients by the state before a block's first step are in `carry` then. */
static void block_backward(const struct device *d, const struct work *w, struct carry carry,
                           float *slopes, const float *dh, const float *dc, const float *gates,
                           const float *weight, size_t first, size_t end)
{
    const struct lstm *s = w->shape;
    size_t n = s->hidden;
    memset(carry.h + first * n, 0, (end - first) * n * sizeof *carry.h);
    memset(carry.c + first * n, 0, (end - first) * n * sizeof *carry.c);
    for (size_t step = s->length; step-- > 0;) {
        size_t place = lstm_place(s, step);
        block_slopes(w, carry, slopes, dh, dc, gates, first, end, step);
        if (some_take(s, first, end, place))
            cpu_product(d, 'N', 'N', end - first, n, 4 * n, 1,
                        slopes + (first * s->length + place) * 4 * n, s->length * 4 * n, weight, n,
                        1, carry.h + first * n, n);
    }
}

/* The state h before each step, [batch,length,hidden]. */
static void gather_before(const struct device *d, float *to, const struct work *w)
{
    const struct lstm *s = w->shape;
    int threads = workers(d, s->batch * s->length * s->hidden / 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t b = 0; b < s->batch; b++)
        for (size_t step = 0; step < s->length; step++)
            memcpy(to + (b * s->length + lstm_place(s, step)) * s->hidden,
                   row_of(h_before(w, step), b), s->hidden * sizeof *to);
}

/* to[n] = x[n], or added to it; to may be NULL, or x itself */
static void put_all(const struct device *d, float *to, const float *x, size_t n, bool add)
{
    if (!to || to == x)
        return;
    int threads = workers(d, n / 4);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++)
        put(to + i, x[i], add);
}

void cpu_lstm_backward(struct device *d, float *dx, float *dw, float *db, float *dh0, float *dc0,
                       float *slopes, const float *dh, const float *dc, const float *gates,
                       const float *h, const float *c, const float *w, const float *h0,
                       const float *c0, const struct lstm *shape, bool add_x, bool add_h0,
                       bool add_c0)
{
    size_t n = shape->hidden, rows = shape->batch * shape->length, states = shape->batch * n;
    float *zeros = cpu_scratch(d, (n + 2 * states + rows * n) * sizeof *zeros);
    if (!zeros)
        return;
    struct work work = {shape, h, c, h0, c0, zeros};
    struct carry carry = {zeros + n, zeros + n + states};
    float *before = carry.c + states;
    memset(zeros, 0, n * sizeof *zeros);
    int threads = workers(d, rows * n * (n + 8));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t first = 0; first < shape->batch; first += SAMPLES)
        block_backward(d, &work, carry, slopes, dh, dc, gates, w, first,
                       least(shape->batch, first + SAMPLES));
    put_all(d, dx, slopes, rows * 4 * n, add_x);
    put_all(d, dh0, carry.h, states, add_h0);
    put_all(d, dc0, carry.c, states, add_c0);
    if (dw)
        gather_before(d, before, &work);
    cpu_linear_backward(d, NULL, dw, db, slopes, before, w, rows, n, 4 * n, false);
}
