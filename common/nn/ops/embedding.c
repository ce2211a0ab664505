/* Where a row stands in its sequence, and what token it is, become part of it. */
#include "common/nn/ops/ops_internal.h"

struct positions {
    struct node node;
    struct var *y, *e, *cls, *positions;
    struct dropout drop;
};

static void positions_backward(struct tape *t, struct node *node)
{
    struct positions *n = (struct positions *)node;
    const float *dy = tape_gradient(n->y);
    bool add;
    if (!dy)
        return;
    float *dcls = tape_added(t, n->cls);
    float *dpositions = tape_added(t, n->positions), *de = tape_into(t, n->e, &add);
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
    if (!dy)
        return;
    float *dwords = tape_added(t, n->words), *dtypes = tape_added(t, n->types);
    float *dpositions = tape_added(t, n->positions);
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

struct var *op_sinusoids(struct tape *t, struct var *x)
{
    struct var *p = tape_var(t, false, x->rank, x->shape);
    K.sinusoids(t->device, p->data, x->data, x->shape[0], x->shape[1], x->shape[2]);
    return op_add(t, x, p, BROADCAST_NONE);
}
