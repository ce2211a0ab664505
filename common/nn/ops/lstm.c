/* The recurrence of an LSTM. */
#include "common/nn/ops/ops_internal.h"

struct lstm_node {
    struct node node;
    struct states y, start;
    struct var *x, *w, *b;
    float *gates;
    struct lstm shape;
};

static const float *data_of(const struct var *x)
{
    return x ? x->data : NULL;
}

static bool wanted(const struct var *x)
{
    return x && x->wants;
}

static void lstm_backward(struct tape *t, struct node *node)
{
    struct lstm_node *n = (struct lstm_node *)node;
    const float *dh = tape_gradient(n->y.h), *dc = tape_gradient(n->y.c);
    bool add_x, add_h, add_c;
    if (!dh && !dc)
        return;
    float *dw = tape_added(t, n->w), *db = tape_added(t, n->b);
    float *dx = tape_into(t, n->x, &add_x);
    float *dh0 = tape_into(t, n->start.h, &add_h), *dc0 = tape_into(t, n->start.c, &add_c);
    float *slopes = dx && !add_x ? dx : tape_take(t, n->x->count * sizeof *slopes);
    K.lstm_backward(t->device, dx, dw, db, dh0, dc0, slopes, dh, dc, n->gates, n->y.h->data,
                    n->y.c->data, n->w->data, data_of(n->start.h), data_of(n->start.c), &n->shape,
                    add_x, add_h, add_c);
}

struct states op_lstm(struct tape *t, struct var *x, struct var *w, struct var *b,
                      struct states start, const int32_t *lengths, bool reversed)
{
    struct lstm_node *n = tape_node(t, sizeof *n, lstm_backward);
    size_t hidden = w->shape[1];
    bool wants = x->wants || w->wants || b->wants || wanted(start.h) || wanted(start.c);
    n->x = x, n->w = w, n->b = b, n->start = start;
    n->shape = (struct lstm){x->shape[0], x->shape[1], hidden, lengths, reversed};
    n->y = (struct states){like(t, x, hidden, wants), like(t, x, hidden, wants)};
    n->gates = tape_take(t, x->count * sizeof(float));
    K.lstm_forward(t->device, n->y.h->data, n->y.c->data, n->gates, x->data, w->data, b->data,
                   data_of(start.h), data_of(start.c), &n->shape);
    return n->y;
}
