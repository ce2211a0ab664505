/* What both passes of attention share: the whole, one head of one sample, a block of its queries,
 * and what a thread works in.
 *
 * A head's keys and values are packed once for all products with them; then its queries go in
 * blocks whose scores stay in the cache. Keys after the last one that is not padding, or that the
 * block's queries see, are left out altogether; others that are not seen get a score of minus
 * infinity. */
#ifndef MSA_CPU_ATTENTION_H
#define MSA_CPU_ATTENTION_H

#include "kernels/cpu/pairs.h"
#include "kernels/cpu/tile.h"
#include <omp.h>
#include <string.h>

enum {
    QUERIES = 96,
    VECTOR = 16,
    PAIRED = 32 /* values of a head from which on bfloat16 is worth its rounding */
};

/* What both passes know of the whole. */
struct work {
    const struct attention *shape;
    size_t dim;  /* of y's rows: all heads */
    float scale; /* of the scores */
    bool pairs;  /* factors of products are rounded to bfloat16 */
    struct mask mask;
    const float *q, *k, *v;
};

/* What one thread works in: a block's scores, its head's matrices in panels, and in the backward
 * pass its own. */
struct room {
    float *scores, *dscores; /* [QUERIES,width]; dscores in the backward pass only */
    float *bias;             /* [width]: minus infinity for padding */
    struct factors factors;  /* of the dropout */
    struct panels k_turned;  /* [size,keys] */
    struct panels v;         /* [keys,size]: forward */
    struct panels v_turned;  /* [size,keys]: backward */
    struct panels k;         /* [keys,size]: backward */
    struct panels q, dy;     /* [QUERIES,size]: backward */
    float *words;            /* a factor in bfloat16; NULL: factors stay as they are */
};

/* One head of one sample. */
struct head {
    size_t task;           /* b heads + h */
    size_t column;         /* of all heads' values, its first */
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

static inline struct work work_of(const struct device *d, const float *q, const float *k,
                                  const float *v, const struct attention *shape,
                                  const struct dropout *drop)
{
    return (struct work){.shape = shape,
                         .dim = shape->heads * shape->size,
                         .scale = 1 / sqrtf((float)shape->size),
                         .pairs = TILE_PAIRS && shape->size >= PAIRED &&
                                  ((const struct cpu *)d->state)->precision == PRECISION_BF16,
                         .mask = mask_of(drop),
                         .q = q,
                         .k = k,
                         .v = v};
}

/* A row of scores has whole vectors, and an odd number of cache lines: in rows a power of two apart
 * all columns would share a few lines of the cache. */
static inline size_t width_of(size_t keys)
{
    return ((keys + VECTOR - 1) / VECTOR | 1) * VECTOR;
}

/* So many of a thread's floats, from *at on; NULL where there is no memory yet, to know how many.
 */
static inline float *take(float *memory, size_t *at, size_t floats)
{
    float *from = memory ? memory + *at : NULL;
    *at += floats;
    return from;
}

/* Floats of the largest factor in pairs. */
static inline size_t words_size(const struct attention *a)
{
    size_t most = a->keys.length > QUERIES ? a->keys.length : QUERIES;
    size_t of_head = (most + 1) / 2 * 2 * ((a->size + 1) / 2);
    size_t of_block = (QUERIES + 1) / 2 * (width_of(a->keys.length) + 2);
    return ((of_head > of_block ? of_head : of_block) + VECTOR - 1) / VECTOR * VECTOR;
}

/* Gives the room its places in `memory`, NULL to know how many floats that takes, which is what it
 * returns. */
static inline size_t furnish(struct room *room, float *memory, const struct work *w, bool backward)
{
    const struct attention *a = w->shape;
    size_t at = 0, keys = a->keys.length, width = width_of(keys);
    size_t ahead = width > CHUNK ? width : CHUNK, elements = a->queries.batch * a->heads;
    size_t turned = panels_size(a->size, keys), straight = panels_size(keys, a->size);
    size_t words = w->pairs ? words_size(a) : 0;
    *room = (struct room){.scores = take(memory, &at, QUERIES * width),
                          .bias = take(memory, &at, width),
                          .factors = {.mask = &w->mask,
                                      .end = (uint64_t)elements * a->queries.length * keys,
                                      .ahead = take(memory, &at, ahead),
                                      .room = ahead},
                          .k_turned = {take(memory, &at, turned), 0, w->pairs},
                          .words = words ? take(memory, &at, words) : NULL};
    if (!backward) {
        room->v = (struct panels){take(memory, &at, straight), 0, w->pairs};
        return at;
    }
    room->dscores = take(memory, &at, QUERIES * width);
    room->v_turned = (struct panels){take(memory, &at, turned), 0, w->pairs};
    room->k = (struct panels){take(memory, &at, straight), 0, w->pairs};
    room->q = (struct panels){take(memory, &at, panels_size(QUERIES, a->size)), 0, w->pairs};
    room->dy = (struct panels){take(memory, &at, panels_size(QUERIES, a->size)), 0, w->pairs};
    return at;
}

/* The rows of sample b: the first, and how many there are. */
static inline size_t rows_of(const struct sequences *s, size_t b, size_t *count)
{
    *count = s->spans ? (size_t)(s->spans[2 * b + 1] - s->spans[2 * b]) : s->length;
    return s->spans ? (size_t)s->spans[2 * b] : b * s->length;
}

static inline struct head head_of(const struct work *w, size_t task, float *bias)
{
    const struct attention *a = w->shape;
    struct head head = {.task = task, .column = task % a->heads * a->size};
    size_t b = task / a->heads;
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
    head.q = w->q + head.query * a->q_stride + head.column;
    head.k = w->k + head.key * a->k_stride + head.column;
    head.v = w->v + head.key * a->v_stride + head.column;
    return head;
}

/* How many keys, from the first on, a query sees. */
static inline size_t keys_seen(const struct attention *a, const struct head *head, size_t query)
{
    if (head->pad && head->pad[query])
        return 0;
    return a->masked ? least(head->keys, query + a->offset + 1) : head->keys;
}

static inline struct block block_of(const struct attention *a, const struct head *head,
                                    size_t first)
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
static inline const float *row_factors(struct room *room, const struct work *w,
                                       const struct head *head, size_t query, size_t width)
{
    uint64_t row = (uint64_t)head->task * w->shape->queries.length + query;
    return factors_at(&room->factors, row * w->shape->keys.length, width);
}

/* A factor of a product as it goes there: terms of its sum are `depth` numbers, or words of two. */
struct factor {
    const float *x;
    size_t stride, depth;
};

/* x[rows,width], where a sum goes along its rows. Good until the next one. */
static inline struct factor along_rows(const struct room *room, const float *x, size_t stride,
                                       size_t rows, size_t width)
{
    if (!room->words)
        return (struct factor){x, stride, width};
    pair_along_rows(room->words, x, stride, rows, width);
    return (struct factor){room->words, (width + 1) / 2, (width + 1) / 2};
}

/* … where it goes down its columns */
static inline struct factor down_columns(const struct room *room, const float *x, size_t stride,
                                         size_t rows, size_t width)
{
    if (!room->words)
        return (struct factor){x, stride, rows};
    pair_down_columns(room->words, x, stride, rows, width);
    return (struct factor){room->words, width, (rows + 1) / 2};
}

/* x[rows,width], as the second factor of products: transposed, whose sums are over the width … */
static inline void pack_transposed(const struct room *room, struct panels *to, const float *x,
                                   size_t stride, size_t rows, size_t width)
{
    struct factor f = along_rows(room, x, stride, rows, width);
    cpu_pack(to, operand('T', f.x, f.stride), f.depth, rows);
}

/* … and as it is, whose sums are over the rows */
static inline void pack_straight(const struct room *room, struct panels *to, const float *x,
                                 size_t stride, size_t rows, size_t width)
{
    struct factor f = down_columns(room, x, stride, rows, width);
    cpu_pack(to, operand('N', f.x, f.stride), f.depth, width);
}

/* What the product leaves there is no score: it is of keys that are not seen, or was there before.
 */
static inline void hide(float *scores, size_t seen, size_t width)
{
    for (size_t j = seen; j < width; j++)
        scores[j] = -INFINITY;
}

/* room->scores[rows,keys] = scale q k^T of a block */
static inline void block_scores(const struct work *w, const struct head *head,
                                const struct block *block, struct room *room)
{
    const struct attention *a = w->shape;
    struct factor q =
        along_rows(room, head->q + block->first * a->q_stride, a->q_stride, block->rows, a->size);
    cpu_multiply_packed(operand('N', q.x, q.stride), &room->k_turned, block->rows, block->keys,
                        q.depth, w->scale, 0, room->scores, head->width);
}

static inline int workers_of(const struct device *d, const struct attention *a)
{
    return workers(d, a->queries.batch * a->heads * a->queries.length * a->keys.length);
}

/* What is done with one head of one sample, by one thread. */
typedef void head_fn(const struct work *w, const struct head *head, struct room *room,
                     const void *closure);

/* Does it with each; the device has failed where there is no memory to work in. */
static inline void each_head(struct device *d, const struct work *w, bool backward, head_fn *does,
                             const void *closure)
{
    const struct attention *a = w->shape;
    struct room size;
    int threads = workers_of(d, a);
    size_t each = furnish(&size, NULL, w, backward);
    float *scratch = cpu_scratch(d, (size_t)threads * each * sizeof *scratch);
    if (!scratch)
        return;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t task = 0; task < a->queries.batch * a->heads; task++) {
        struct room room;
        furnish(&room, scratch + (size_t)omp_get_thread_num() * each, w, backward);
        struct head head = head_of(w, task, room.bias);
        does(w, &head, &room, closure);
    }
}

/* rows[n,width] = 0, the rows being `stride` apart */
static inline void clear_rows(float *rows, size_t n, size_t stride, size_t width)
{
    for (size_t i = 0; i < n; i++)
        memset(rows + i * stride, 0, width * sizeof *rows);
}

#endif
