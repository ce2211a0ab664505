/* Gradients, updates and moments of parameters, and the files that keep them. */
#include "common/nn/device.h"
#include "common/nn/params_internal.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* A parameter's count of updates in a file: a float32, as PyTorch's, which does not count further.
 */
#define STEP "step."
enum { MOST_UPDATES = 1 << 24 };
/* A gradient that waits for an update, in a file. */
#define GRADIENT "grad."

static void copy_in(struct params *p, float *to, const struct safetensors *file,
                    const struct safetensor *t)
{
    float *host = params_piece(p->m, t->count);
    for (size_t at = 0, count; at < t->count; at += count) {
        count = safetensor_piece_size(t->count, at);
        safetensor_read(file, t, at, count, host);
        p->device->copy_in(p->device, to + at, host, count * sizeof *host);
    }
    msa_free(p->m, host);
}

static bool load_one(struct params *p, const struct safetensors *file, struct parameter *one)
{
    const struct safetensor *t = params_find(p, file, one->name, one);
    if (t)
        copy_in(p, one->var.data, file, t);
    return t != NULL;
}

/* A tensor's only number; -1: there is no such tensor. */
static float number_of(const struct safetensors *file, const struct safetensor *t)
{
    float number = -1;
    if (t && t->count == 1)
        safetensor_read(file, t, 0, 1, &number);
    return number;
}

/* A gradient that is there waits. */
static void restore_gradient(struct params *p, const struct safetensors *file,
                             struct parameter *one)
{
    char name[320];
    snprintf(name, sizeof name, GRADIENT "%s", one->name);
    const struct safetensor *t = params_find(p, file, name, one);
    if (!t)
        return;
    copy_in(p, one->var.grad, file, t);
    p->gradients->wait = true;
}

/* Loads the count of updates, which must be there, and the moments that are. */
static void restore_updates(struct params *p, const struct safetensors *file, struct parameter *one)
{
    char name[320];
    snprintf(name, sizeof name, STEP "%s", one->name);
    const struct safetensor *t = safetensors_find(file, name);
    float updates = number_of(file, t);
    if (!(updates >= 0 && updates <= MOST_UPDATES))
        msa_fail(p->m, MSA_CORRUPT, "%s: no tensor '%s' with a number from 0 to %d", file->path,
                 name, MOST_UPDATES);
    one->t = (long)updates;
    for (int i = 0; i < MOMENTS; i++) {
        snprintf(name, sizeof name, "%s%s", moment_names[i], one->name);
        if (!(t = params_find(p, file, name, one)))
            continue;
        one->moments[i] = params_floats(p, one->var.count, false);
        copy_in(p, one->moments[i], file, t);
    }
}

void params_restore(struct params *p, const struct safetensors *file)
{
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        if (!load_one(p, file, one))
            params_missing(p, file, one);
        if (!one->var.grad)
            continue;
        restore_updates(p, file, one);
        restore_gradient(p, file, one);
    }
}

/* A tensor on its way into a file. */
struct saved {
    const float *from; /* on the device; NULL: it is one number, */
    float number;
};

static struct safetensor saved_tensor(struct params *p, const char *prefix,
                                      const struct parameter *one, struct saved saved)
{
    struct safetensor t = {.name = msa_format(p->m, "%s%s", prefix, one->name), .count = 1};
    struct saved *data = msa_alloc(p->m, sizeof *data);
    *data = saved;
    t.data = data;
    if (!saved.from)
        return t;
    t.rank = one->var.rank;
    t.count = one->var.count;
    memcpy(t.shape, one->var.shape, sizeof one->var.shape);
    return t;
}

/* All that a file is to have of a parameter, behind each other; returns their number. */
static size_t saved_tensors(struct params *p, const struct parameter *one, bool moments,
                            struct safetensor *to)
{
    size_t count = 0;
    to[count++] = saved_tensor(p, "", one, (struct saved){.from = one->var.data});
    if (!moments || !one->var.grad)
        return count;
    to[count++] = saved_tensor(p, STEP, one, (struct saved){.number = (float)one->t});
    for (int k = 0; k < MOMENTS; k++)
        if (one->moments[k])
            to[count++] = saved_tensor(p, moment_names[k], one, (struct saved){one->moments[k], 0});
    if (p->gradients->wait && one->var.wants)
        to[count++] = saved_tensor(p, GRADIENT, one, (struct saved){.from = one->var.grad});
    return count;
}

/* Where a file's numbers come from. */
struct saving {
    struct params *p;
    float *piece; /* [SAFETENSOR_PIECE] */
};

static const float *next_piece(void *self, const struct safetensor *t, size_t at, size_t count)
{
    const struct saving *s = self;
    const struct saved *saved = t->data;
    if (!saved->from)
        return &saved->number;
    device_copy_out(s->p->m, s->p->device, s->piece, saved->from + at, count * sizeof *s->piece);
    return s->piece;
}

struct checksum params_save(struct params *p, const char *path, bool moments,
                            const char *const (*metadata)[2], size_t metadata_count)
{
    struct safetensor *all = msa_calloc(p->m, (MOMENTS + 3) * (size_t)p->count + 1, sizeof *all);
    struct saving saving = {p, msa_calloc(p->m, SAFETENSOR_PIECE, sizeof(float))};
    size_t count = 0;
    for (int i = 0; i < p->count; i++)
        count += saved_tensors(p, p->list[i], moments, all + count);
    struct checksum sum = safetensors_write_pieces(p->m, path, all, count, metadata, metadata_count,
                                                   next_piece, &saving);
    for (size_t i = 0; i < count; i++) {
        msa_free(p->m, (void *)all[i].name);
        msa_free(p->m, (void *)all[i].data);
    }
    msa_free(p->m, all);
    msa_free(p->m, saving.piece);
    return sum;
}

/* --- gradients --- */

/* The variable that takes memory for the gradient with respect to parameter i, and maybe to others:
 * its own, or that of the stack that begins here; NULL: none. */
static struct var *holder(const struct params *p, int i)
{
    struct parameter *one = p->list[i];
    if (!one->stack)
        return one->frozen < LONG_MAX ? &one->var : NULL;
    bool first = i == 0 || p->list[i - 1]->stack != one->stack;
    return first && one->stack->trained ? &one->stack->var : NULL;
}

/* Floats from one gradient to the next, so that each is 64-byte aligned. */
static size_t stride(const struct var *v)
{
    return (v->count + 15) / 16 * 16;
}

static void release_gradients(void *memory)
{
    const struct gradients *g = memory;
    g->device->release(g->device, g->all);
}

void params_gradients(struct params *p)
{
    struct gradients *g = p->gradients = msa_alloc(p->m, sizeof *g);
    g->device = p->device;
    msa_at_free(g, release_gradients);
    for (int i = 0; i < p->count; i++)
        g->count += holder(p, i) ? stride(holder(p, i)) : 0;
    if (!g->count)
        return;
    float *next = g->all = params_floats(p, g->count, true);
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        struct var *v = holder(p, i), *whole = one->stack ? &one->stack->var : NULL;
        if (v) {
            v->grad = next;
            next += stride(v);
        }
        if (whole && whole->grad)
            one->var.grad = whole->grad + (one->var.data - whole->data);
    }
}

void params_ready_gradients(struct params *p)
{
    if (p->gradients->all && !p->gradients->wait)
        p->device->k.fill(p->device, p->gradients->all, 0, p->gradients->count);
}

/* --- updates --- */

/* One whose moment is missing after its first update was restored from another file than it needs.
 */
static float *keep_moment(struct params *p, struct parameter *one, enum moment moment)
{
    if (!one->moments[moment] && one->t)
        msa_fail(p->m, MSA_CORRUPT, "parameter '%s' was updated %ld times, but has no '%s%s'",
                 one->name, one->t, moment_names[moment], one->name);
    if (!one->moments[moment])
        one->moments[moment] = params_floats(p, one->var.count, true);
    return one->moments[moment];
}

/* What holds of this parameter: rate and decay may be others than those of the line. */
static struct optimizer optimizer_of(const struct params *p, const struct parameter *one,
                                     const struct optimizer *o)
{
    struct optimizer own = *o;
    own.lr *= shares_of(&p->rates, one, 1);
    own.decay = optimizer_spares(p->m, o, one->name) ? 0 : shares_of(&p->decays, one, o->decay);
    return own;
}

static struct update next_update(struct params *p, struct parameter *one, const struct optimizer *o)
{
    float *moments[MOMENTS];
    for (int i = 0; i < MOMENTS; i++)
        moments[i] =
            optimizer_keeps(o, (enum moment)i) ? keep_moment(p, one, (enum moment)i) : NULL;
    one->t += one->t < MOST_UPDATES;
    struct optimizer own = optimizer_of(p, one, o);
    struct update u = optimizer_update(&own, one->t);
    memcpy(u.moments, moments, sizeof moments);
    u.n = one->var.count;
    u.p = one->var.data;
    u.g = one->var.grad;
    return u;
}

static void update_all(struct params *p, const struct optimizer *o)
{
    struct update *all = msa_calloc(p->m, (size_t)p->count, sizeof *all);
    size_t count = 0;
    for (int i = 0; i < p->count; i++)
        if (p->list[i]->var.wants)
            all[count++] = next_update(p, p->list[i], o);
    if (o->rule == RULE_SGD)
        p->device->k.sgd(p->device, all, count);
    else
        p->device->k.adam(p->device, all, count);
    msa_free(p->m, all);
}

void params_update(struct params *p, const struct optimizer *o)
{
    if (p->gradients->all && optimizer_clips(o))
        p->device->k.clip(p->device, p->gradients->all, (float)o->clip, p->gradients->count);
    p->gradients->wait = o->waits;
    if (!o->waits)
        update_all(p, o);
}
