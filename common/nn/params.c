/* Named parameters. */
#include "common/nn/params.h"
#include "common/nn/device.h"
#include "common/nn/random.h"
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* A parameter's count of updates in a file: a float32, as PyTorch's, which does not count further.
 */
#define STEP "step."
enum { MOST_UPDATES = 1 << 24 };

struct params params_new(struct msa *m, struct device *device, uint64_t seed,
                         const struct option_list *frozen)
{
    return (struct params){.m = m, .device = device, .seed = seed, .frozen = frozen};
}

/* Parameters go with the run. */
static void release(void *memory)
{
    const struct parameter *one = memory;
    one->device->release(one->device, one->var.data);
    one->device->release(one->device, one->var.grad);
    for (int i = 0; i < MOMENTS; i++)
        one->device->release(one->device, one->moments[i]);
}

static float *floats(struct params *p, size_t count, bool zero)
{
    float *memory = p->device->allocate(p->device, count * sizeof(float));
    if (!memory)
        msa_fail(p->m, MSA_DEVICE, "device %s: no memory for %zu parameters", p->device->name,
                 count);
    if (zero)
        p->device->k.fill(p->device, memory, 0, count);
    return memory;
}

static bool is_frozen(const struct params *p, const char *name)
{
    for (int i = 0; p->frozen && i < p->frozen->count; i++)
        if (fnmatch(p->frozen->values[i], name, 0) == 0)
            return true;
    return false;
}

/* The parameter's tensor in a file, in its shape; NULL: the file has none of that name. */
static const struct safetensor *find_one(const struct params *p, const struct safetensors *file,
                                         const char *name, const struct parameter *one)
{
    char found[128], expected[128];
    const struct safetensor *t = safetensors_find(file, name);
    if (t && !tensor_same_shape(t->rank, t->shape, one->var.rank, one->var.shape))
        msa_fail(p->m, MSA_CORRUPT, "%s: tensor '%s': shape %s but expected %s", file->path, name,
                 tensor_shape_text(found, t->rank, t->shape),
                 tensor_shape_text(expected, one->var.rank, one->var.shape));
    return t;
}

static _Noreturn void missing(struct params *p, const char *path, const struct parameter *one)
{
    char shape[128];
    msa_fail(p->m, MSA_CORRUPT, "%s: no tensor '%s', expected with shape %s", path, one->name,
             tensor_shape_text(shape, one->var.rank, one->var.shape));
}

static struct parameter *append(struct params *p, const char *name, int rank, const size_t *shape)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 64;
        p->list = msa_realloc(p->m, p->list, (size_t)p->capacity * sizeof *p->list);
    }
    struct parameter *one = p->list[p->count++] = msa_alloc(p->m, sizeof *one);
    one->device = p->device;
    msa_at_free(one, release);
    one->name = msa_strndup(p->m, name, strlen(name));
    one->var.rank = rank;
    one->var.count = 1;
    for (int i = 0; i < rank; i++) {
        one->var.shape[i] = shape[i];
        if (__builtin_mul_overflow(one->var.count, shape[i], &one->var.count) ||
            one->var.count > SIZE_MAX / sizeof(float))
            msa_fail(p->m, MSA_FAILED, "parameter '%s' would be too large", name);
    }
    if (p->given && !find_one(p, p->given, name, one))
        missing(p, p->given->path, one);
    one->var.data = floats(p, one->var.count, false);
    return one;
}

/* The name that a parameter is drawn by: layers of a stack start equal, as PyTorch's copies of one
 * layer do. */
static struct random stream_of(const struct params *p, const char *name)
{
    char first[256];
    const char *layer = strstr(name, ".layers.");
    size_t head = layer ? (size_t)(layer - name) + strlen(".layers.") : 0;
    if (layer)
        snprintf(first, sizeof first, "%.*s0%s", (int)head, name,
                 name + head + strspn(name + head, "0123456789"));
    return random_stream(p->seed, layer ? first : name, 0);
}

struct var *params_add(struct params *p, const char *name, enum start start, float bound, int rank,
                       const size_t *shape)
{
    struct parameter *one = append(p, name, rank, shape);
    one->var.wants = !p->fixed && !is_frozen(p, name);
    if (one->var.wants)
        one->var.grad = floats(p, one->var.count, true);
    if (p->given)
        return &one->var;
    if (start != START_UNIFORM) {
        p->device->k.fill(p->device, one->var.data, start == START_ONE, one->var.count);
        return &one->var;
    }
    struct random r = stream_of(p, name);
    float *host = msa_calloc(p->m, one->var.count, sizeof *host);
    for (size_t i = 0; i < one->var.count; i++)
        host[i] = random_uniform(&r, -bound, bound);
    p->device->copy_in(p->device, one->var.data, host, one->var.count * sizeof *host);
    msa_free(p->m, host);
    return &one->var;
}

struct var *params_buffer(struct params *p, const char *name, int rank, const size_t *shape,
                          const float *host)
{
    struct parameter *one = append(p, name, rank, shape);
    one->buffer = one->loaded = true;
    p->device->copy_in(p->device, one->var.data, host, one->var.count * sizeof *host);
    return &one->var;
}

bool params_trained(const struct params *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i]->var.wants)
            return true;
    return false;
}

static bool load_one(struct params *p, const struct safetensors *file, struct parameter *one)
{
    const struct safetensor *t = find_one(p, file, one->name, one);
    if (t)
        p->device->copy_in(p->device, one->var.data, t->data, t->count * sizeof(float));
    return t != NULL;
}

void params_load(struct params *p, const struct safetensors *file)
{
    for (int i = 0; i < p->count; i++)
        if (load_one(p, file, p->list[i]))
            p->list[i]->loaded = true;
}

void params_require(struct params *p, const char *path)
{
    for (int i = 0; i < p->count; i++)
        if (!p->list[i]->loaded)
            missing(p, path, p->list[i]);
}

/* How often it was updated, and what of its moments there is. */
static void restore_updates(struct params *p, const struct safetensors *file, struct parameter *one)
{
    char name[320];
    snprintf(name, sizeof name, STEP "%s", one->name);
    const struct safetensor *t = safetensors_find(file, name);
    if (!t || t->count != 1 || !(*t->data >= 0 && *t->data <= MOST_UPDATES))
        msa_fail(p->m, MSA_CORRUPT, "%s: no tensor '%s' with a number from 0 to %d", file->path,
                 name, MOST_UPDATES);
    one->t = (long)*t->data;
    for (int i = 0; i < MOMENTS; i++) {
        snprintf(name, sizeof name, "%s%s", moment_names[i], one->name);
        if (!(t = find_one(p, file, name, one)))
            continue;
        one->moments[i] = floats(p, one->var.count, false);
        p->device->copy_in(p->device, one->moments[i], t->data, t->count * sizeof(float));
    }
}

void params_restore(struct params *p, const struct safetensors *file)
{
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        if (!load_one(p, file, one))
            missing(p, file->path, one);
        if (one->var.grad)
            restore_updates(p, file, one);
    }
}

/* A host tensor for safetensors_write, of a parameter's shape. */
static struct safetensor host_tensor(struct params *p, const struct parameter *one,
                                     const char *prefix, const float *from)
{
    struct safetensor t = {.name = msa_format(p->m, "%s%s", prefix, one->name),
                           .rank = one->var.rank,
                           .count = one->var.count};
    float *host = msa_calloc(p->m, t.count, sizeof *host);
    memcpy(t.shape, one->var.shape, sizeof one->var.shape);
    device_copy_out(p->m, p->device, host, from, t.count * sizeof *host);
    t.data = host;
    return t;
}

static struct safetensor count_tensor(struct params *p, const struct parameter *one)
{
    float *host = msa_alloc(p->m, sizeof *host);
    *host = (float)one->t;
    return (struct safetensor){
        .name = msa_format(p->m, STEP "%s", one->name), .count = 1, .data = host};
}

void params_save(struct params *p, const char *path, bool moments, const char *const (*metadata)[2],
                 size_t metadata_count)
{
    struct safetensor *all = msa_calloc(p->m, (MOMENTS + 2) * (size_t)p->count + 1, sizeof *all);
    size_t count = 0;
    for (int i = 0; i < p->count; i++) {
        const struct parameter *one = p->list[i];
        all[count++] = host_tensor(p, one, "", one->var.data);
        if (!moments || !one->var.grad)
            continue;
        all[count++] = count_tensor(p, one);
        for (int k = 0; k < MOMENTS; k++)
            if (one->moments[k])
                all[count++] = host_tensor(p, one, moment_names[k], one->moments[k]);
    }
    safetensors_write(p->m, path, all, count, metadata, metadata_count);
    for (size_t i = 0; i < count; i++) {
        msa_free(p->m, (void *)all[i].name);
        msa_free(p->m, (void *)all[i].data);
    }
    msa_free(p->m, all);
}

void params_zero_gradients(struct params *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i]->var.grad)
            p->device->k.fill(p->device, p->list[i]->var.grad, 0, p->list[i]->var.count);
}

/* One whose moment is missing after its first update was restored from another file than it needs.
 */
static float *keep_moment(struct params *p, struct parameter *one, enum moment moment)
{
    if (!one->moments[moment] && one->t)
        msa_fail(p->m, MSA_CORRUPT, "parameter '%s' was updated %ld times, but has no '%s%s'",
                 one->name, one->t, moment_names[moment], one->name);
    if (!one->moments[moment])
        one->moments[moment] = floats(p, one->var.count, true);
    return one->moments[moment];
}

static struct update next_update(struct params *p, struct parameter *one, const struct optimizer *o)
{
    float *moments[MOMENTS];
    for (int i = 0; i < MOMENTS; i++)
        moments[i] =
            optimizer_keeps(o, (enum moment)i) ? keep_moment(p, one, (enum moment)i) : NULL;
    one->t += one->t < MOST_UPDATES;
    struct update u = optimizer_update(o, one->name, one->t);
    memcpy(u.moments, moments, sizeof moments);
    u.n = one->var.count;
    u.p = one->var.data;
    u.g = one->var.grad;
    return u;
}

void params_update(struct params *p, const struct optimizer *o)
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
