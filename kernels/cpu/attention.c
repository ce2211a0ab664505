/* Multi-head attention, one head of one sample at a time, in blocks of queries whose scores stay in
 * the cache.
 *
 * The forward pass keeps no probabilities: the backward pass computes them again from the products
 * and lse. Keys after the last one that is not padding, or that the block's queries see, are left
 * out altogether; others that are not seen get a score of minus infinity. */
#include "kernels/cpu/cpu.h"
#include <omp.h>
#include <string.h>

enum { QUERIES = 128, VECTOR = 16 };

/* What both passes know of the whole. */
struct work {
    const struct attention *shape;
    size_t dim;  /* of y's rows: all heads */
    float scale; /* of the scores */
    struct mask mask;
    const float *q, *k, *v;
};

/* What one thread works in. */
struct room {
    float *scores, *dscores; /* [QUERIES,width]; dscores in the backward pass only */
    float *bias;             /* [width]: minus infinity for padding */
    struct factors factors;  /* of the dropout */
};

/* One head of one sample. */
struct head {
    size_t task;           /* b heads + h */
    size_t query, queries; /* its first row of q, and their number */
    size_t key, keys;      /* of k and v; up to the last that is not padding */
    size_t all_keys;       /* with those after it */
    size_t width;          /* of a row of scores: the keys, rounded up to whole vectors */
    const uint8_t *pad;    /* [queries]: those that are padding; NULL: none */
    const float *q, *k, *v;
};

/* Some queries of a head: `rows` from `first` on, of which none sees more than `keys` keys. */
struct block {
    size_t first, rows, keys, width;
};

static struct work work_of(const float *q, const float *k, const float *v,
                           const struct attention *shape, const struct dropout *drop)
{
    return (struct work){
        shape, shape->heads * shape->size, 1 / sqrtf((float)shape->size), mask_of(drop), q, k, v};
}

/* A row of scores has whole vectors, and an odd number of cache lines: in rows a power of two apart
 * all columns would share a few lines of the cache. */
static size_t width_of(size_t keys)
{
    return ((keys + VECTOR - 1) / VECTOR | 1) * VECTOR;
}

/* Factors of dropout that are drawn at a time: those of a row at least. */
static size_t drawn_at_once(size_t width)
{
    return width > CHUNK ? width : CHUNK;
}

/* Floats that a thread needs for so many blocks of scores. */
static size_t room_size(const struct attention *shape, size_t blocks)
{
    size_t width = width_of(shape->keys.length);
    return (blocks * QUERIES + 1) * width + drawn_at_once(width);
}

static struct room room_of(float *scratch, const struct work *w, size_t blocks)
{
    const struct attention *a = w->shape;
    size_t width = width_of(a->keys.length);
    float *own = scratch + (size_t)omp_get_thread_num() * room_size(a, blocks);
    float *rest = own + blocks * QUERIES * width;
    return (struct room){
        .scores = own,
        .dscores = own + (blocks - 1) * QUERIES * width,
        .bias = rest,
        .factors = {&w->mask,
                    (uint64_t)a->queries.batch * a->heads * a->queries.length * a->keys.length,
                    rest + width, drawn_at_once(width), 0, 0}};
}

/* The rows of sample b: the first, and how many there are. */
static size_t rows_of(const struct sequences *s, size_t b, size_t *count)
{
    *count = s->spans ? (size_t)(s->spans[2 * b + 1] - s->spans[2 * b]) : s->length;
    return s->spans ? (size_t)s->spans[2 * b] : b * s->length;
}

static struct head head_of(const struct work *w, size_t task, float *bias)
{
    const struct attention *a = w->shape;
    struct head head = {.task = task};
    size_t b = task / a->heads, column = task % a->heads * a->size;
    head.query = rows_of(&a->queries, b, &head.queries);
    head.key = rows_of(&a->keys, b, &head.all_keys);
    head.pad = a->queries.pad ? a->queries.pad + head.query : NULL;
    const uint8_t *pad = a->keys.pad ? a->keys.pad + head.key : NULL;
    head.keys = head.all_keys;
    while (pad && head.keys > 1 && pad[head.keys - 1])
        head.keys--;
    head.width = width_of(head.keys);
    for (size_t j = 0; j < head.width; j++)
        bias[j] = j < head.keys && !(pad && pad[j]) ? 0 : -INFINITY;
    head.q = w->q + head.query * a->q_stride + column;
    head.k = w->k + head.key * a->k_stride + column;
    head.v = w->v + head.key * a->v_stride + column;
    return head;
}

/* How many keys, from the first on, a query sees. */
static size_t keys_seen(const struct attention *a, const struct head *head, size_t query)
{
    if (head->pad && head->pad[query])
        return 0;
    return a->masked ? least(head->keys, query + a->offset + 1) : head->keys;
}

static struct block block_of(const struct attention *a, const struct head *head, size_t first)
{
    struct block block = {.first = first, .rows = least(QUERIES, head->queries - first)};
    for (size_t i = 0; i < block.rows; i++) {
        size_t seen = keys_seen(a, head, first + i);
        block.keys = seen > block.keys ? seen : block.keys;
    }
    block.width = width_of(block.keys);
    return block;
}

/* Dropout factors of one query's row. */
static const float *row_factors(struct room *room, const struct work *w, const struct head *head,
                                size_t query, size_t width)
{
    uint64_t row = (uint64_t)head->task * w->shape->queries.length + query;
    return factors_at(&room->factors, row * w->shape->keys.length, width);
}

/* What the product leaves there is no score: it is of keys that are not seen, or was there before.
 */
static void hide(float *scores, size_t seen, size_t width)
{
    for (size_t j = seen; j < width; j++)
        scores[j] = -INFINITY;
}

/* scores = exp(scores - their greatest) through the dropout; *total is the sum before it. Returns
 * the log of the sum of the scores' exponentials; where there is none that, minus infinity, and the
 * row is 0. */
static float softmax_row(float *scores, float *total, const float *bias, const float *factors,
                         size_t width)
{
    float most = -INFINITY, sum = 0;
#pragma omp simd reduction(max : most)
    for (size_t j = 0; j < width; j++) {
        float s = scores[j] + bias[j];
        most = s > most ? s : most;
    }
    float by = most > -INFINITY ? most : 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < width; j++) {
        float e = expf(scores[j] + bias[j] - by);
        sum += e;
        scores[j] = e * factors[j];
    }
    *total = most > -INFINITY ? sum : 1;
    return most + logf(*total);
}

/* y and lse of a block's queries; both point to the first of them. */
static void block_forward(const struct device *d, float *y, float *lse, const struct work *w,
                          const struct head *head, struct room *room, const struct block *block)
{
    const struct attention *a = w->shape;
    float totals[QUERIES] = {0};
    cpu_product(d, 'N', 'T', block->rows, block->keys, a->size, w->scale,
                head->q + block->first * a->q_stride, a->q_stride, head->k, a->k_stride, 0,
                room->scores, head->width);
    for (size_t i = 0; i < block->rows; i++) {
        float *scores = room->scores + i * head->width;
        hide(scores, keys_seen(a, head, block->first + i), block->width);
        lse[i] =
            softmax_row(scores, totals + i, room->bias,
                        row_factors(room, w, head, block->first + i, block->width), block->width);
    }
    cpu_product(d, 'N', 'N', block->rows, a->size, block->keys, 1, room->scores, head->width,
                head->v, a->v_stride, 0, y, w->dim);
    for (size_t i = 0; i < block->rows; i++)
#pragma omp simd
        for (size_t j = 0; j < a->size; j++)
            y[i * w->dim + j] /= totals[i];
}

/* rows[n,width] = 0, the rows being `stride` apart */
static void clear_rows(float *rows, size_t n, size_t stride, size_t width)
{
    for (size_t i = 0; i < n; i++)
        memset(rows + i * stride, 0, width * sizeof *rows);
}

/* … where none of them sees a key */
static void blind_forward(float *y, float *lse, const struct work *w, const struct block *block)
{
    clear_rows(y, block->rows, w->dim, w->shape->size);
    for (size_t i = 0; i < block->rows; i++)
        lse[i] = -INFINITY;
}

static int workers_of(const struct device *d, const struct attention *a)
{
    return workers(d, a->queries.batch * a->heads * a->queries.length * a->keys.length);
}

void cpu_attention_forward(struct device *d, float *y, float *lse, const float *q, const float *k,
                           const float *v, const struct attention *a, const struct dropout *drop)
{
    struct work w = work_of(q, k, v, a, drop);
    int threads = workers_of(d, a);
    float *scratch = cpu_scratch(d, (size_t)threads * room_size(a, 1) * sizeof *scratch);
    if (!scratch)
        return;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t task = 0; task < a->queries.batch * a->heads; task++) {
        struct room room = room_of(scratch, &w, 1);
        struct head head = head_of(&w, task, room.bias);
        for (size_t query = 0; query < head.queries; query += QUERIES) {
            struct block block = block_of(a, &head, query);
            float *to = y + (head.query + query) * w.dim + task % a->heads * a->size;
            float *to_lse = lse + task * a->queries.length + query;
            if (block.keys)
                block_forward(d, to, to_lse, &w, &head, &room, &block);
            else
                blind_forward(to, to_lse, &w, &block);
        }
    }
}

/* --- backward */

/* What gradients are made of, and where they go: of the whole, or of one head. */
struct gradients {
    float *q, *k, *v; /* NULL: not wanted */
    bool add_q, add_k, add_v;
    const float *dy, *y, *lse;
};

static struct gradients of_head(const struct gradients *all, const struct work *w,
                                const struct head *head)
{
    const struct attention *a = w->shape;
    size_t column = head->task % a->heads * a->size, out = head->query * w->dim + column;
    struct gradients g = *all;
    g.q = all->q ? all->q + head->query * a->q_stride + column : NULL;
    g.k = all->k ? all->k + head->key * a->k_stride + column : NULL;
    g.v = all->v ? all->v + head->key * a->v_stride + column : NULL;
    g.dy += out, g.y += out, g.lse += head->task * a->queries.length;
    return g;
}

/* Turns scores into probabilities through the dropout, and dscores, the gradient by those, into the
 * gradient by the scores: p (factor dscore - mean), where `mean` is the sum of p factor dscore,
 * which is that of dy y. */
static void backward_row(float *scores, float *dscores, const float *bias, const float *factors,
                         float lse, float mean, size_t width)
{
#pragma omp simd
    for (size_t j = 0; j < width; j++) {
        float p = expf(scores[j] + bias[j] - lse);
        scores[j] = p * factors[j];
        dscores[j] = p * (factors[j] * dscores[j] - mean);
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Both for each query of a block. */
static void block_slopes(const struct gradients *g, const struct work *w, const struct head *head,
                         struct room *room, const struct block *block)
{
    const struct attention *a = w->shape;
    for (size_t i = 0; i < block->rows; i++) {
        float *scores = room->scores + i * head->width, *dscores = room->dscores + i * head->width;
        size_t query = block->first + i, seen = keys_seen(a, head, query);
        if (g->lse[query] == -INFINITY)
            seen = 0;
        hide(scores, seen, block->width);
        memset(dscores + seen, 0, (block->width - seen) * sizeof *dscores);
        backward_row(scores, dscores, room->bias, row_factors(room, w, head, query, block->width),
                     seen ? g->lse[query] : 0,
                     dot(g->dy + query * w->dim, g->y + query * w->dim, a->size), block->width);
    }
}

/* Puts the queries' dq in its place, and adds what they give to dk and dv: the first of a head
 * overwrites, unless that is to be added too. */
static void block_backward(const struct device *d, const struct gradients *g, const struct work *w,
                           const struct head *head, struct room *room, const struct block *block)
{
    const struct attention *a = w->shape;
    size_t rows = block->rows, keys = block->keys, width = head->width;
    const float *q = head->q + block->first * a->q_stride, *dy = g->dy + block->first * w->dim;
    cpu_product(d, 'N', 'T', rows, keys, a->size, w->scale, q, a->q_stride, head->k, a->k_stride, 0,
                room->scores, width);
    cpu_product(d, 'N', 'T', rows, keys, a->size, 1, dy, w->dim, head->v, a->v_stride, 0,
                room->dscores, width);
    block_slopes(g, w, head, room, block);
    if (g->v)
        cpu_product(d, 'T', 'N', keys, a->size, rows, 1, room->scores, width, dy, w->dim,
                    g->add_v || block->first ? 1 : 0, g->v, a->v_stride);
    if (g->k)
        cpu_product(d, 'T', 'N', keys, a->size, rows, w->scale, room->dscores, width, q,
                    a->q_stride, g->add_k || block->first ? 1 : 0, g->k, a->k_stride);
    if (g->q)
        cpu_product(d, 'N', 'N', rows, a->size, keys, w->scale, room->dscores, width, head->k,
                    a->k_stride, g->add_q ? 1 : 0, g->q + block->first * a->q_stride, a->q_stride);
}

/* Gradients by keys from `first` on, which the head's first queries do not see and so do not
 * overwrite. */
static void clear_keys(const struct gradients *g, const struct attention *a,
                       const struct head *head, size_t first)
{
    if (g->k && !g->add_k)
        clear_rows(g->k + first * a->k_stride, head->all_keys - first, a->k_stride, a->size);
    if (g->v && !g->add_v)
        clear_rows(g->v + first * a->v_stride, head->all_keys - first, a->v_stride, a->size);
}

static void head_backward(const struct device *d, const struct gradients *g, const struct work *w,
                          const struct head *head, struct room *room)
{
    const struct attention *a = w->shape;
    if (!head->queries)
        clear_keys(g, a, head, 0);
    for (size_t query = 0; query < head->queries; query += QUERIES) {
        struct block block = block_of(a, head, query);
        if (!query)
            clear_keys(g, a, head, block.keys);
        if (block.keys)
            block_backward(d, g, w, head, room, &block);
        else if (g->q && !g->add_q)
            clear_rows(g->q + query * a->q_stride, block.rows, a->q_stride, a->size);
    }
}

void cpu_attention_backward(struct device *d, float *dq, float *dk, float *dv, const float *dy,
                            const float *y, const float *lse, const float *q, const float *k,
                            const float *v, const struct attention *a, const struct dropout *drop,
                            bool add_q, bool add_k, bool add_v)
{
    struct work w = work_of(q, k, v, a, drop);
    struct gradients all = {dq, dk, dv, add_q, add_k, add_v, dy, y, lse};
    int threads = workers_of(d, a);
    float *scratch = cpu_scratch(d, (size_t)threads * room_size(a, 2) * sizeof *scratch);
    if (!scratch)
        return;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t task = 0; task < a->queries.batch * a->heads; task++) {
        struct room room = room_of(scratch, &w, 2);
        struct head head = head_of(&w, task, room.bias);
        struct gradients own = of_head(&all, &w, &head);
        head_backward(d, &own, &w, &head, &room);
    }
}
