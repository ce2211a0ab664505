/* Operations of layers: each a forward kernel now and a backward kernel when the tape is walked. */
#include "common/nn/ops.h"
#include "common/nn/random.h"
#include <stdio.h>

#define K (t->device->k)

struct dropout dropout_at(const struct tape *t, float rate, const char *layer, const char *place)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", layer, place);
    return (struct dropout){
        .rate = t->train ? rate : 0, .seed = t->seed, .step = t->step, .site = random_name(name)};
}

static size_t last_of(const struct var *x)
{
    return x->shape[x->rank - 1];
}

static size_t rows_of(const struct var *x)
{
    return x->count / last_of(x);
}

/* A result like x, but with that last dimension. */
static struct var *like(struct tape *t, const struct var *x, size_t last, bool wants)
{
    size_t shape[VAR_RANK];
    for (int i = 0; i < x->rank; i++)
        shape[i] = x->shape[i];
    shape[x->rank - 1] = last;
    return tape_var(t, wants, x->rank, shape);
}

struct linear {
    struct node node;
    struct var *y, *x, *w, *b;
};

static void linear_backward(struct tape *t, struct node *node)
{
    struct linear *n = (struct linear *)node;
    const float *dy = tape_gradient(n->y);
    bool add, always;
    if (!dy)
        return;
    float *dw = tape_into(t, n->w, &always), *db = tape_into(t, n->b, &always);
    float *dx = tape_into(t, n->x, &add);
    K.linear_backward(t->device, dx, dw, db, dy, n->x->data, n->w->data, rows_of(n->x),
                      last_of(n->x), last_of(n->y), add);
}

struct var *op_linear(struct tape *t, struct var *x, struct var *w, struct var *b)
{
    struct linear *n = tape_node(t, sizeof *n, linear_backward);
    n->x = x, n->w = w, n->b = b;
    n->y = like(t, x, w->shape[0], x->wants || w->wants || b->wants);
    K.linear_forward(t->device, n->y->data, x->data, w->data, b->data, rows_of(x), last_of(x),
                     last_of(n->y));
    return n->y;
}

/* An operation on each element by itself, with dropout: its two kernels. */
struct elementwise {
    struct node node;
    struct var *y, *x;
    struct dropout drop;
    void (*backward)(struct device *, float *, const float *, const float *, size_t,
                     const struct dropout *, bool);
};

static void elementwise_backward(struct tape *t, struct node *node)
{
    struct elementwise *n = (struct elementwise *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        n->backward(t->device, dx, dy, n->x->data, n->x->count, &n->drop, add);
}

static struct elementwise *elementwise(struct tape *t, struct var *x, struct dropout drop)
{
    struct elementwise *n = tape_node(t, sizeof *n, elementwise_backward);
    n->x = x, n->drop = drop;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    return n;
}

struct var *op_gelu(struct tape *t, struct var *x, struct dropout drop)
{
    struct elementwise *n = elementwise(t, x, drop);
    n->backward = K.gelu_backward;
    K.gelu_forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}

struct var *op_tanh(struct tape *t, struct var *x, struct dropout drop)
{
    struct elementwise *n = elementwise(t, x, drop);
    n->backward = K.tanh_backward;
    K.tanh_forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}

struct masked {
    struct node node;
    struct var *y, *x;
    struct dropout drop;
};

static void dropout_backward(struct tape *t, struct node *node)
{
    struct masked *n = (struct masked *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.dropout_backward(t->device, dx, dy, n->x->count, &n->drop, add);
}

struct var *op_dropout(struct tape *t, struct var *x, struct dropout drop)
{
    if (drop.rate <= 0)
        return x;
    struct masked *n = tape_node(t, sizeof *n, dropout_backward);
    n->x = x, n->drop = drop;
    n->y = tape_var(t, x->wants, x->rank, x->shape);
    K.dropout_forward(t->device, n->y->data, x->data, x->count, &n->drop);
    return n->y;
}

struct norm {
    struct node node;
    struct var *y, *x, *z, *gain, *bias;
    float *sum, *mean, *rstd;
    struct dropout drop;
};

static void norm_backward(struct tape *t, struct node *node)
{
    struct norm *n = (struct norm *)node;
    const float *dy = tape_gradient(n->y);
    bool add_x, add_z, always;
    if (!dy)
        return;
    float *dgain = tape_into(t, n->gain, &always), *dbias = tape_into(t, n->bias, &always);
    float *dx = tape_into(t, n->x, &add_x), *dz = tape_into(t, n->z, &add_z);
    K.norm_backward(t->device, dx, dz, dgain, dbias, dy, n->z ? n->sum : n->x->data, n->mean,
                    n->rstd, n->gain->data, rows_of(n->x), last_of(n->x), &n->drop, add_x, add_z);
}

struct var *op_norm(struct tape *t, struct var *x, struct var *z, struct var *gain,
                    struct var *bias, float eps, struct dropout drop)
{
    struct norm *n = tape_node(t, sizeof *n, norm_backward);
    n->x = x, n->z = z, n->gain = gain, n->bias = bias, n->drop = drop;
    n->y =
        tape_var(t, x->wants || (z && z->wants) || gain->wants || bias->wants, x->rank, x->shape);
    n->mean = tape_take(t, rows_of(x) * sizeof(float));
    n->rstd = tape_take(t, rows_of(x) * sizeof(float));
    n->sum = z ? tape_take(t, x->count * sizeof(float)) : NULL;
    K.norm_forward(t->device, n->y->data, n->sum, n->mean, n->rstd, x->data, z ? z->data : NULL,
                   gain->data, bias->data, rows_of(x), last_of(x), eps, &n->drop);
    return n->y;
}

struct positions {
    struct node node;
    struct var *y, *e, *cls, *positions;
    struct dropout drop;
};

static void positions_backward(struct tape *t, struct node *node)
{
    struct positions *n = (struct positions *)node;
    const float *dy = tape_gradient(n->y);
    bool add, always;
    if (!dy)
        return;
    float *dcls = tape_into(t, n->cls, &always);
    float *dpositions = tape_into(t, n->positions, &always), *de = tape_into(t, n->e, &add);
    K.positions_backward(t->device, de, dcls, dpositions, dy, n->e->shape[0], n->e->shape[1],
                         n->e->shape[2], &n->drop, add);
}

struct var *op_positions(struct tape *t, struct var *e, struct var *cls, struct var *positions,
                         struct dropout drop)
{
    struct positions *n = tape_node(t, sizeof *n, positions_backward);
    n->e = e, n->cls = cls, n->positions = positions, n->drop = drop;
    n->y = tape_var(t, e->wants || cls->wants || positions->wants, 3,
                    (size_t[]){e->shape[0], 1 + e->shape[1], e->shape[2]});
    K.positions_forward(t->device, n->y->data, e->data, cls->data, positions->data, e->shape[0],
                        e->shape[1], e->shape[2], &n->drop);
    return n->y;
}

struct embedding {
    struct node node;
    struct var *y, *words, *positions, *types;
    struct tokens tokens;
};

static void embedding_backward(struct tape *t, struct node *node)
{
    struct embedding *n = (struct embedding *)node;
    const struct tokens *k = &n->tokens;
    const float *dy = tape_gradient(n->y);
    bool always;
    if (!dy)
        return;
    float *dwords = tape_into(t, n->words, &always), *dtypes = tape_into(t, n->types, &always);
    float *dpositions = tape_into(t, n->positions, &always);
    K.embedding_backward(t->device, dwords, dpositions, dtypes, dy, k->word, k->place, k->type,
                         k->rows, last_of(n->y));
}

struct var *op_embedding(struct tape *t, struct tokens k, struct var *words, struct var *positions,
                         struct var *types)
{
    struct embedding *n = tape_node(t, sizeof *n, embedding_backward);
    n->words = words, n->positions = positions, n->types = types, n->tokens = k;
    n->y = tape_var(t, words->wants || positions->wants || types->wants, 2,
                    (size_t[]){k.rows, last_of(words)});
    K.embedding_forward(t->device, n->y->data, words->data, positions->data, types->data, k.word,
                        k.place, k.type, k.rows, last_of(words));
    return n->y;
}

struct attention {
    struct node node;
    struct var *y, *qkv;
    struct sequences samples;
    size_t heads;
    float *lse;
    struct dropout drop;
};

static void attention_backward(struct tape *t, struct node *node)
{
    struct attention *n = (struct attention *)node;
    const struct sequences *s = &n->samples;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dqkv = dy ? tape_into(t, n->qkv, &add) : NULL;
    if (dqkv)
        K.attention_backward(t->device, dqkv, dy, n->y->data, n->lse, n->qkv->data, s->pad,
                             s->spans, s->batch, s->length, last_of(n->y), n->heads, &n->drop, add);
}

struct var *op_attention(struct tape *t, struct var *qkv, struct sequences s, size_t heads,
                         struct dropout drop)
{
    struct attention *n = tape_node(t, sizeof *n, attention_backward);
    size_t dim = last_of(qkv) / 3;
    n->qkv = qkv, n->samples = s, n->heads = heads, n->drop = drop;
    n->y = like(t, qkv, dim, qkv->wants);
    n->lse = tape_take(t, s.batch * heads * s.length * sizeof(float));
    K.attention_forward(t->device, n->y->data, n->lse, qkv->data, s.pad, s.spans, s.batch, s.length,
                        dim, heads, &n->drop);
    return n->y;
}

struct mean {
    struct node node;
    struct var *y, *x;
    size_t batch;
    const int32_t *spans;
};

static void mean_backward(struct tape *t, struct node *node)
{
    struct mean *n = (struct mean *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.mean_backward(t->device, dx, dy, n->spans, n->batch, rows_of(n->x), last_of(n->x), add);
}

struct var *op_mean(struct tape *t, struct var *x, size_t batch, const int32_t *spans)
{
    struct mean *n = tape_node(t, sizeof *n, mean_backward);
    n->x = x, n->batch = batch, n->spans = spans;
    n->y = tape_var(t, x->wants, 2, (size_t[]){batch, last_of(x)});
    K.mean_forward(t->device, n->y->data, x->data, spans, batch, rows_of(x), last_of(x));
    return n->y;
}

/* One part of a concatenation: columns `at` and on of y. */
struct columns {
    struct node node;
    struct var *y, *x;
    size_t at;
};

static void columns_backward(struct tape *t, struct node *node)
{
    struct columns *n = (struct columns *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    float *dx = dy ? tape_into(t, n->x, &add) : NULL;
    if (dx)
        K.columns_backward(t->device, dx, dy, rows_of(n->x), last_of(n->y), n->at, last_of(n->x),
                           add);
}

struct var *op_concat(struct tape *t, int count, struct var *const *parts)
{
    size_t total = 0, at = 0;
    bool wants = false;
    for (int i = 0; i < count; i++) {
        total += last_of(parts[i]);
        wants = wants || parts[i]->wants;
    }
    struct var *y = like(t, parts[0], total, wants);
    for (int i = 0; i < count; at += last_of(parts[i++])) {
        struct columns *n = tape_node(t, sizeof *n, columns_backward);
        n->y = y, n->x = parts[i], n->at = at;
        K.columns_forward(t->device, y->data, n->x->data, rows_of(y), total, at, last_of(n->x));
    }
    return y;
}
