/* The tape. */
#include "common/nn/tape.h"
#include "common/nn/device.h"
#include <string.h>

struct tape tape_new(struct msa *m, struct device *device, uint64_t seed)
{
    return (struct tape){.m = m,
                         .device = device,
                         .memory = arena_new(m, device),
                         .passing = arena_new(m, device),
                         .spare = arena_new(m, device),
                         .nodes = arena_new(m, NULL),
                         .seed = seed};
}

static void change_lane(struct tape *t, unsigned lane)
{
    if (t->device->lane)
        t->device->lane(t->device, lane);
    t->lane = lane;
}

void tape_lane(struct tape *t, unsigned lane)
{
    if (t->train)
        change_lane(t, lane);
}

void tape_reset(struct tape *t, bool train, uint32_t step)
{
    arena_reset(&t->memory);
    arena_reset(&t->nodes);
    t->passes = false;
    t->last = NULL;
    t->train = train;
    t->step = step;
}

void tape_pass(struct tape *t)
{
    struct arena before = t->passing;
    change_lane(t, 0);
    t->passing = t->spare;
    t->spare = before;
    arena_reset(&t->passing);
    t->passes = true;
}

void tape_keep(struct tape *t)
{
    t->passes = false;
}

void *tape_take(struct tape *t, size_t bytes)
{
    return arena_take(t->passes ? &t->passing : &t->memory, bytes);
}

/* Some devices copy in lane 0 alone: what is done elsewhere is an error of the caller's on all. */
static void check_lane(const struct tape *t)
{
    if (t->lane)
        msa_fail(t->m, MSA_FAILED, "a copy in lane %u, but all are made in lane 0", t->lane);
}

static void copy_in(struct tape *t, void *to, const void *from, size_t bytes)
{
    check_lane(t);
    t->device->copy_in(t->device, to, from, bytes);
}

void *tape_upload(struct tape *t, const void *from, size_t bytes)
{
    void *to = tape_take(t, bytes);
    copy_in(t, to, from, bytes);
    return to;
}

static struct var *describe(struct tape *t, int rank, const size_t *shape)
{
    if (rank > VAR_RANK)
        msa_fail(t->m, MSA_FAILED, "a variable of rank %d but at most %d is possible", rank,
                 VAR_RANK);
    struct var *v = arena_take(&t->nodes, sizeof *v);
    *v = (struct var){.rank = rank, .count = 1};
    for (int i = 0; i < rank; i++) {
        v->shape[i] = shape[i];
        v->count *= shape[i];
    }
    return v;
}

struct var *tape_var(struct tape *t, bool wants, int rank, const size_t *shape)
{
    struct var *v = describe(t, rank, shape);
    v->wants = wants && t->train;
    v->data = tape_take(t, v->count * sizeof(float));
    return v;
}

struct var *tape_zeros(struct tape *t, int rank, const size_t *shape)
{
    struct var *v = tape_var(t, false, rank, shape);
    t->device->k.fill(t->device, v->data, 0, v->count);
    return v;
}

struct var *tape_input(struct tape *t, const struct tensor *host, bool wants)
{
    if (host->dtype != F4 || host->rank > VAR_RANK)
        msa_fail(t->m, MSA_CORRUPT, "tensor '%s': %s of rank %d but expected <f4 of rank 1 to %d",
                 host->name, dtype_names[host->dtype], host->rank, VAR_RANK);
    struct var *v = tape_var(t, wants, host->rank, host->shape);
    copy_in(t, v->data, host->data, v->count * sizeof(float));
    return v;
}

struct var *tape_owner(struct var *x)
{
    return x->base ? x->base : x;
}

/* Where x's own part of its variable's gradient is, or will be. */
static float *own_part(const struct var *x, float *grad)
{
    return x->base ? grad + (x->data - x->base->data) : grad;
}

/* Takes memory for the gradient by x's variable; zeros where x is a part of it. */
static void begin_gradient(struct tape *t, struct var *x)
{
    struct var *v = tape_owner(x);
    v->grad = tape_take(t, v->count * sizeof(float));
    if (x->count < v->count)
        t->device->k.fill(t->device, v->grad, 0, v->count);
}

struct var *tape_view(struct tape *t, struct var *x, int rank, const size_t *shape)
{
    struct var *v = describe(t, rank, shape);
    v->wants = x->wants;
    v->data = x->data;
    v->base = tape_owner(x);
    return v;
}

struct var *tape_slice(struct tape *t, struct var *x, size_t at, int rank, const size_t *shape)
{
    struct var *v = tape_view(t, x, rank, shape);
    if (at > x->count || v->count > x->count - at)
        msa_fail(t->m, MSA_FAILED, "a slice of %zu elements from %zu on, but there are %zu",
                 v->count, at, x->count);
    v->data += at;
    return v;
}

struct var *tape_detached(struct tape *t, struct var *x)
{
    struct var *v = describe(t, x->rank, x->shape);
    v->data = x->data;
    return v;
}

void tape_seed(struct tape *t, struct var *x, const float *host)
{
    if (tape_owner(x)->grad)
        msa_fail(t->m, MSA_FAILED, "two gradients of one variable: outputs cannot share memory");
    begin_gradient(t, x);
    float *grad = tape_gradient(x);
    if (host)
        copy_in(t, grad, host, x->count * sizeof(float));
    else
        t->device->k.fill(t->device, grad, 1, x->count);
}

const float *tape_copy_out(struct tape *t, struct host_copy *to, const float *from, size_t count)
{
    if (to->capacity < count) {
        to->data = msa_realloc(t->m, to->data, count * sizeof *to->data);
        to->capacity = count;
    }
    check_lane(t);
    t->device->copy_out(t->device, to->data, from, count * sizeof *to->data);
    t->copies = true;
    return to->data;
}

void tape_wait(struct tape *t)
{
    if (t->copies)
        device_wait(t->m, t->device);
    t->copies = false;
}

void tape_backward(struct tape *t)
{
    for (struct node *n = t->last; n; n = n->before) {
        change_lane(t, n->lane);
        n->backward(t, n);
    }
    change_lane(t, 0);
    t->last = NULL;
}

void *tape_node(struct tape *t, size_t size, void (*backward)(struct tape *, struct node *))
{
    struct node *n = arena_take(&t->nodes, size);
    memset(n, 0, size);
    n->backward = backward;
    n->lane = t->lane;
    if (t->train) {
        n->before = t->last;
        t->last = n;
    }
    return n;
}

float *tape_into(struct tape *t, struct var *x, bool *add)
{
    *add = false;
    if (!x || !x->wants)
        return NULL;
    *add = tape_owner(x)->grad || x->count < tape_owner(x)->count;
    if (!tape_owner(x)->grad)
        begin_gradient(t, x);
    return tape_gradient(x);
}

float *tape_added(struct tape *t, struct var *x)
{
    bool add;
    float *grad = tape_into(t, x, &add);
    if (grad && !add)
        t->device->k.fill(t->device, grad, 0, x->count);
    return grad;
}

float *tape_gradient(struct var *y)
{
    float *grad = tape_owner(y)->grad;
    return grad ? own_part(y, grad) : NULL;
}
