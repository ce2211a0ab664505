/* The recurrence of an LSTM, two kernels a step: a product of cuBLAS, and what a step does to each
 * number of the state. All samples are at the same place of their sequences at a time, in both
 * directions: one that does not take the step keeps its state. */
#include "kernels/cuda/sums.h"
extern "C" {
#include "kernels/lstm.h"
}

/* h or c of the samples of a batch: row b is at first + b stride; NULL: zeros. */
struct state {
    const float *first;
    size_t stride;
    __device__ float at(size_t b, size_t j) const
    {
        return first ? first[b * stride + j] : 0;
    }
};

static struct state state_before(const struct lstm *s, size_t step, const float *all,
                                 const float *start)
{
    if (!step)
        return {start, s->hidden};
    return {all + lstm_place(s, step - 1) * s->hidden, s->length * s->hidden};
}

static __device__ bool takes(const struct lstm &s, size_t b, size_t place)
{
    return !s.lengths || place < (size_t)s.lengths[b];
}

/* The gates of number j, in a row of four times `n`. */
static __device__ struct gates gates_at(const float *row, size_t n, size_t j)
{
    return {row[j], row[n + j], row[2 * n + j], row[3 * n + j]};
}

static __device__ void put_gates(float *row, size_t n, size_t j, struct gates gates)
{
    row[j] = gates.i;
    row[n + j] = gates.f;
    row[2 * n + j] = gates.g;
    row[3 * n + j] = gates.o;
}

/* --- forward */

static __device__ struct gates sum(struct gates a, struct gates b)
{
    return {a.i + b.i, a.f + b.f, a.g + b.g, a.o + b.o};
}

/* products[batch,4 hidden] of the states before; NULL: they are zeros */
static __global__ void forward(float *h, float *c, float *gates, const float *x,
                               const float *products, const float *bias, struct state h_before,
                               struct state c_before, struct lstm s, size_t place)
{
    size_t n = s.hidden;
    each_in_grid(s.batch * n, [=](size_t at) {
        size_t b = at / n, j = at % n, row = b * s.length + place;
        float cell = c_before.at(b, j), state = h_before.at(b, j);
        if (takes(s, b, place)) {
            struct gates own = sum(gates_at(x + row * 4 * n, n, j), gates_at(bias, n, j));
            if (products)
                own = sum(own, gates_at(products + b * 4 * n, n, j));
            own = lstm_gates(own);
            put_gates(gates + row * 4 * n, n, j, own);
            cell = own.f * cell + own.i * own.g;
            state = own.o * tanhf(cell);
        }
        c[row * n + j] = cell;
        h[row * n + j] = state;
    });
}

void cuda_lstm_forward(struct device *d, float *h, float *c, float *gates, const float *x,
                       const float *w, const float *b, const float *h0, const float *c0,
                       const struct lstm *shape)
{
    size_t n = shape->hidden, states = shape->batch * n;
    float *products = static_cast<float *>(cuda_scratch(d, states * 4 * sizeof *products));
    if (!products)
        return;
    for (size_t step = 0; step < shape->length; step++) {
        struct state h_before = state_before(shape, step, h, h0);
        if (h_before.first)
            cuda_product(d, 'N', 'T', shape->batch, 4 * n, n, h_before.first, h_before.stride, w, n,
                         NULL, 0, products, 4 * n);
        launch(d, forward, cuda_blocks(d, states, THREADS), THREADS, h, c, gates, x,
               h_before.first ? products : NULL, b, h_before, state_before(shape, step, c, c0),
               *shape, lstm_place(shape, step));
    }
}

/* --- backward */

/* What reaches a step of each sample, [batch,hidden] each. */
struct carry {
    float *h, *c;
};

/* The carried c goes on to the step before; h is 0 where the product is to be added to it. */
static __global__ void backward(float *slopes, struct carry carry, const float *dh, const float *dc,
                                const float *gates, const float *c, struct state before,
                                struct lstm s, size_t place)
{
    size_t n = s.hidden;
    each_in_grid(s.batch * n, [=](size_t at) {
        size_t b = at / n, j = at % n, row = b * s.length + place;
        float by_h = carry.h[at] + (dh ? dh[row * n + j] : 0);
        float by_c = carry.c[at] + (dc ? dc[row * n + j] : 0);
        struct gates by = {};
        if (takes(s, b, place)) {
            by = lstm_slopes(gates_at(gates + row * 4 * n, n, j), before.at(b, j), c[row * n + j],
                             by_h, &by_c);
            by_h = 0;
        }
        put_gates(slopes + row * 4 * n, n, j, by);
        carry.h[at] = by_h;
        carry.c[at] = by_c;
    });
}

/* The state h before each step, whose first is at place `first`. */
static __global__ void gather_before(float *to, const float *h, struct state h0, struct lstm s,
                                     size_t first)
{
    size_t n = s.hidden;
    each_in_grid(s.batch * s.length * n, [=](size_t at) {
        size_t b = at / n / s.length, place = at / n % s.length;
        to[at] = place == first ? h0.at(b, at % n) : h[s.reversed ? at + n : at - n];
    });
}

static __global__ void put_each(float *to, const float *x, size_t n, bool add)
{
    each_in_grid(n, [=](size_t i) { put(to + i, x[i], add); });
}

/* to[n] = x[n], or added to it; to may be NULL, or x itself */
static void put_all(struct device *d, float *to, const float *x, size_t n, bool add)
{
    if (to && to != x)
        launch(d, put_each, cuda_blocks(d, n, THREADS), THREADS, to, x, n, add);
}

/* dw of all steps at once, by the states before each, for which there is `before` */
static void weight_backward(struct device *d, float *dw, const float *slopes, float *before,
                            const float *h, const float *h0, const struct lstm *s)
{
    size_t n = s->hidden, rows = s->batch * s->length;
    launch(d, gather_before, cuda_blocks(d, rows * n, THREADS), THREADS, before, h,
           state_before(s, 0, h, h0), *s, lstm_place(s, 0));
    cuda_product(d, 'T', 'N', 4 * n, n, rows, slopes, 4 * n, before, n, NULL, 1, dw, n);
}

void cuda_lstm_backward(struct device *d, float *dx, float *dw, float *db, float *dh0, float *dc0,
                        float *slopes, const float *dh, const float *dc, const float *gates,
                        const float *h, const float *c, const float *w, const float *h0,
                        const float *c0, const struct lstm *shape, bool add_x, bool add_h0,
                        bool add_c0)
{
    size_t n = shape->hidden, rows = shape->batch * shape->length, states = shape->batch * n;
    float *room = static_cast<float *>(cuda_scratch(d, (2 * states + rows * n) * sizeof *room));
    if (!room)
        return;
    struct carry carry = {room, room + states};
    cuda_fill(d, room, 0, 2 * states);
    for (size_t step = shape->length; step-- > 0;) {
        size_t place = lstm_place(shape, step);
        launch(d, backward, cuda_blocks(d, states, THREADS), THREADS, slopes, carry, dh, dc, gates,
               c, state_before(shape, step, c, c0), *shape, place);
        cuda_product(d, 'N', 'N', shape->batch, n, 4 * n, slopes + place * 4 * n,
                     shape->length * 4 * n, w, n, NULL, 1, carry.h, n);
    }
    put_all(d, dx, slopes, rows * 4 * n, add_x);
    put_all(d, dh0, carry.h, states, add_h0);
    put_all(d, dc0, carry.c, states, add_c0);
    if (dw)
        weight_backward(d, dw, slopes, room + 2 * states, h, h0, shape);
    if (db) /* last, as its sums take the room */
        add_columns(d, db, rows, 4 * n, matrix{slopes, 4 * n});
}
