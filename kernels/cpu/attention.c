/* Multi-head attention's forward pass, one head of one sample at a time (attention.h). It keeps no
 * probabilities. */
#include "kernels/cpu/attention.h"

static float greatest_score(const float *scores, const float *bias, size_t width)
{
    vector most = vector_all(-INFINITY);
    for (size_t j = 0; j < width; j += VECTOR_LANES)
        most = vector_greater(vector_load(scores + j) + vector_load(bias + j), most);
    return vector_greatest(most);
}

/* scores = exp(scores - their greatest) through the dropout; *total is the sum before it. Returns
 * the log of the sum of the scores' exponentials; where there is none that, minus infinity, and the
 * row is 0. */
static float softmax_row(float *scores, float *total, const float *bias, const float *factors,
                         size_t width)
{
    float most = greatest_score(scores, bias, width), by = most > -INFINITY ? most : 0;
    vector sum = vector_all(0);
    for (size_t j = 0; j < width; j += VECTOR_LANES) {
        vector e = vector_exp(vector_load(scores + j) + vector_load(bias + j) - by);
        sum += e;
        vector_store(scores + j, e * vector_load(factors + j));
    }
    *total = most > -INFINITY ? vector_sum(sum) : 1;
    return most + logf(*total);
}

/* y and lse of a block's queries; both point to the first of them. */
static void block_forward(float *y, float *lse, const struct work *w, const struct head *head,
                          const struct block *block, struct room *room)
{
    const struct attention *a = w->shape;
    float totals[QUERIES] = {0};
    block_scores(w, head, block, room);
    for (size_t i = 0; i < block->rows; i++) {
        float *scores = room->scores + i * head->width;
        hide(scores, keys_seen(a, head, block->first + i), block->width);
        lse[i] =
            softmax_row(scores, totals + i, room->bias,
                        row_factors(room, w, head, block->first + i, block->width), block->width);
    }
    struct factor p = along_rows(room, room->scores, head->width, block->rows, block->keys);
    cpu_multiply_packed(operand('N', p.x, p.stride), &room->v, block->rows, a->size, p.depth, 1, 0,
                        y, w->dim);
    for (size_t i = 0; i < block->rows; i++)
#pragma omp simd
        for (size_t j = 0; j < a->size; j++)
            y[i * w->dim + j] /= totals[i];
}

/* … where none of them sees a key */
static void blind_forward(float *y, float *lse, const struct work *w, const struct block *block)
{
    clear_rows(y, block->rows, w->dim, w->shape->size);
    for (size_t i = 0; i < block->rows; i++)
        lse[i] = -INFINITY;
}

/* Where the results go. */
struct results {
    float *y, *lse;
};

static void head_forward(const struct work *w, const struct head *head, struct room *room,
                         const void *closure)
{
    const struct attention *a = w->shape;
    const struct results *all = closure;
    pack_transposed(room, &room->k_turned, head->k, a->k_stride, head->keys, a->size);
    pack_straight(room, &room->v, head->v, a->v_stride, head->keys, a->size);
    for (size_t query = 0; query < head->queries; query += QUERIES) {
        struct block block = block_of(a, head, query);
        float *to = all->y + (head->query + query) * w->dim + head->column;
        float *to_lse = all->lse + head->task * a->queries.length + query;
        if (block.keys)
            block_forward(to, to_lse, w, head, &block, room);
        else
            blind_forward(to, to_lse, w, &block);
    }
}

void cpu_attention_forward(struct device *d, float *y, float *lse, const float *q, const float *k,
                           const float *v, const struct attention *a, const struct dropout *drop)
{
    struct work w = work_of(d, q, k, v, a, drop);
    const struct results all = {y, lse};
    each_head(d, &w, false, head_forward, &all);
}
