/* Multi-head attention's backward pass, one head of one sample at a time (attention.h): computes
 * the probabilities again, from the same products and the forward pass's lse. */
#include "kernels/cpu/attention.h"

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
    size_t column = head->column, out = head->query * w->dim + column;
    struct gradients g = *all;
    g.q = all->q ? all->q + head->query * a->q_stride + column : NULL;
    g.k = all->k ? all->k + head->key * a->k_stride + column : NULL;
    g.v = all->v ? all->v + head->key * a->v_stride + column : NULL;
    g.dy += out, g.y += out, g.lse += head->task * a->queries.length;
    return g;
}

/* Turns scores into probabilities through the dropout, and dscores, the gradient with respect to
 * those, into that with respect to the scores: p (factor dscore - mean), where `mean` is the sum of
 * p factor dscore, which is that of dy y. */
static void backward_row(float *scores, float *dscores, const float *bias, const float *factors,
                         float lse, float mean, size_t width)
{
    for (size_t j = 0; j < width; j += VECTOR_LANES) {
        vector p = vector_exp(vector_load(scores + j) + vector_load(bias + j) - lse);
        vector factor = vector_load(factors + j);
        vector_store(scores + j, p * factor);
        vector_store(dscores + j, p * (factor * vector_load(dscores + j) - mean));
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
                         const struct block *block, struct room *room)
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
static void block_backward(const struct gradients *g, const struct work *w, const struct head *head,
                           const struct block *block, struct room *room)
{
    const struct attention *a = w->shape;
    size_t first = block->first, rows = block->rows, keys = block->keys, width = head->width;
    const float *q = head->q + first * a->q_stride, *dy = g->dy + first * w->dim;
    block_scores(w, head, block, room);
    struct factor f = along_rows(room, dy, w->dim, rows, a->size);
    cpu_multiply_packed(operand('N', f.x, f.stride), &room->v_turned, rows, keys, f.depth, 1, 0,
                        room->dscores, width);
    block_slopes(g, w, head, block, room);
    if (g->v) {
        pack_straight(room, &room->dy, dy, w->dim, rows, a->size);
        f = down_columns(room, room->scores, width, rows, keys);
        cpu_multiply_packed(operand('T', f.x, f.stride), &room->dy, keys, a->size, f.depth, 1,
                            g->add_v || first ? 1 : 0, g->v, a->v_stride);
    }
    if (g->k) {
        pack_straight(room, &room->q, q, a->q_stride, rows, a->size);
        f = down_columns(room, room->dscores, width, rows, keys);
        cpu_multiply_packed(operand('T', f.x, f.stride), &room->q, keys, a->size, f.depth, w->scale,
                            g->add_k || first ? 1 : 0, g->k, a->k_stride);
    }
    if (g->q) {
        f = along_rows(room, room->dscores, width, rows, keys);
        cpu_multiply_packed(operand('N', f.x, f.stride), &room->k, rows, a->size, f.depth, w->scale,
                            g->add_q ? 1 : 0, g->q + first * a->q_stride, a->q_stride);
    }
}

/* Gradients with respect to keys from `first` on, which the head's first queries do not see and so
 * do not overwrite. */
static void clear_keys(const struct gradients *g, const struct attention *a,
                       const struct head *head, size_t first)
{
    if (g->k && !g->add_k)
        clear_rows(g->k + first * a->k_stride, head->all_keys - first, a->k_stride, a->size);
    if (g->v && !g->add_v)
        clear_rows(g->v + first * a->v_stride, head->all_keys - first, a->v_stride, a->size);
}

static void head_backward(const struct work *w, const struct head *head, struct room *room,
                          const void *closure)
{
    const struct attention *a = w->shape;
    const struct gradients own = of_head(closure, w, head), *g = &own;
    pack_transposed(room, &room->k_turned, head->k, a->k_stride, head->keys, a->size);
    pack_transposed(room, &room->v_turned, head->v, a->v_stride, head->keys, a->size);
    if (g->q)
        pack_straight(room, &room->k, head->k, a->k_stride, head->keys, a->size);
    if (!head->queries)
        clear_keys(g, a, head, 0);
    for (size_t query = 0; query < head->queries; query += QUERIES) {
        struct block block = block_of(a, head, query);
        if (!query)
            clear_keys(g, a, head, block.keys);
        if (block.keys)
            block_backward(g, w, head, &block, room);
        else if (g->q && !g->add_q)
            clear_rows(g->q + query * a->q_stride, block.rows, a->q_stride, a->size);
    }
}

void cpu_attention_backward(struct device *d, float *dq, float *dk, float *dv, const float *dy,
                            const float *y, const float *lse, const float *q, const float *k,
                            const float *v, const struct attention *a, const struct dropout *drop,
                            bool add_q, bool add_k, bool add_v)
{
    struct work w = work_of(d, q, k, v, a, drop);
    const struct gradients all = {dq, dk, dv, add_q, add_k, add_v, dy, y, lse};
    each_head(d, &w, true, head_backward, &all);
}
