/* Attention of the rows of sequences to those of others, or to one another. */
#include "common/nn/ops/ops_internal.h"

enum { QUERY, KEY, VALUE, PARTS };

struct attention_node {
    struct node node;
    struct var *y;
    struct columns parts[PARTS];
    struct attention shape;
    float *lse;
    struct dropout drop;
};

/* A gradient by columns, NULL when nobody wants it, and whether one is there already. */
struct slot {
    float *to;
    bool add;
};

static bool overlap(const struct columns *one, const struct columns *other, size_t width)
{
    return one->x == other->x && one->at < other->at + width && other->at < one->at + width;
}

/* Do the parts of x take each of its columns once, and is no other a view of it? */
static bool fill_together(const struct attention_node *n, struct var *x)
{
    size_t width = last_of(n->y), taken = 0;
    for (int i = 0; i < PARTS; i++) {
        const struct columns *one = &n->parts[i];
        if (tape_owner(one->x) != tape_owner(x))
            continue;
        for (int k = 0; k < i; k++)
            if (overlap(&n->parts[k], one, width))
                return false;
        if (one->x != x)
            return false;
        taken += width;
    }
    return taken == last_of(x);
}

/* Parts of one variable may fill its gradient together; else they all are added to zeros. */
static struct slot slot_of(struct tape *t, const struct attention_node *n, int part,
                           const struct slot *before)
{
    const struct columns *own = &n->parts[part];
    for (int i = 0; i < part; i++)
        if (n->parts[i].x == own->x && before[i].to)
            return (struct slot){before[i].to - n->parts[i].at + own->at, before[i].add};
    struct slot slot;
    slot.to = tape_into(t, own->x, &slot.add);
    if (!slot.to)
        return slot;
    if (!slot.add && !fill_together(n, own->x)) {
        K.fill(t->device, slot.to, 0, own->x->count);
        slot.add = true;
    }
    slot.to += own->at;
    return slot;
}

static void attention_backward(struct tape *t, struct node *node)
{
    struct attention_node *n = (struct attention_node *)node;
    const float *dy = tape_gradient(n->y), *data[PARTS];
    struct slot slots[PARTS];
    if (!dy)
        return;
    for (int i = 0; i < PARTS; i++) {
        slots[i] = slot_of(t, n, i, slots);
        data[i] = n->parts[i].x->data + n->parts[i].at;
    }
    K.attention_backward(t->device, slots[QUERY].to, slots[KEY].to, slots[VALUE].to, dy, n->y->data,
                         n->lse, data[QUERY], data[KEY], data[VALUE], &n->shape, &n->drop,
                         slots[QUERY].add, slots[KEY].add, slots[VALUE].add);
}

struct var *op_attention(struct tape *t, struct columns q, struct columns k, struct columns v,
                         struct attention shape, struct dropout drop)
{
    struct attention_node *n = tape_node(t, sizeof *n, attention_backward);
    shape.q_stride = last_of(q.x), shape.k_stride = last_of(k.x), shape.v_stride = last_of(v.x);
    n->parts[QUERY] = q, n->parts[KEY] = k, n->parts[VALUE] = v;
    n->shape = shape, n->drop = drop;
    n->y = like(t, q.x, shape.heads * shape.size, q.x->wants || k.x->wants || v.x->wants);
    n->lse = tape_take(t, shape.queries.batch * shape.heads * shape.queries.length * sizeof(float));
    K.attention_forward(t->device, n->y->data, n->lse, q.x->data + q.at, k.x->data + k.at,
                        v.x->data + v.at, &n->shape, &n->drop);
    return n->y;
}

struct var *op_self_attention(struct tape *t, struct var *qkv, struct sequences samples,
                              size_t heads, struct dropout drop)
{
    size_t dim = last_of(qkv) / 3;
    struct attention shape = {heads, dim / heads, .queries = samples, .keys = samples};
    shape.queries.pad = NULL; /* its results are there, as PyTorch's are, though nobody looks */
    return op_attention(t, (struct columns){qkv, 0}, (struct columns){qkv, dim},
                        (struct columns){qkv, 2 * dim}, shape, drop);
}
