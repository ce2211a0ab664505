/* Named parameters. */
#include "common/nn/params.h"
#include "common/nn/device.h"
#include "common/nn/random.h"
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define FIRST_MOMENT  "exp_avg."
#define SECOND_MOMENT "exp_avg_sq."

struct params params_new(struct msa *m, struct device *device, uint64_t seed,
                         const struct option_list *frozen)
{
    return (struct params){.m = m, .device = device, .seed = seed, .frozen = frozen};
}

/* Parameters go with the run. */
static void release(void *memory)
{
    const struct parameter *one = memory;
    float *all[] = {one->var.data, one->var.grad, one->m, one->v};
    for (int i = 0; i < 4; i++)
        one->device->release(one->device, all[i]);
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

static _Noreturn void missing(struct params *p, const char *path, const char *prefix,
                              const struct parameter *one)
{
    char shape[128];
    msa_fail(p->m, MSA_CORRUPT, "%s: no tensor '%s%s', expected with shape %s", path, prefix,
             one->name, tensor_shape_text(shape, one->var.rank, one->var.shape));
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
        missing(p, p->given->path, "", one);
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
    if (one->var.wants) {
        one->var.grad = floats(p, one->var.count, true);
        one->m = floats(p, one->var.count, true);
        one->v = floats(p, one->var.count, true);
    }
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

static bool load_one(struct params *p, const struct safetensors *file, const char *prefix,
                     const struct parameter *one, float *to)
{
    char name[320];
    snprintf(name, sizeof name, "%s%s", prefix, one->name);
    const struct safetensor *t = find_one(p, file, name, one);
    if (!t)
        return false;
    p->device->copy_in(p->device, to, t->data, t->count * sizeof(float));
    return true;
}

void params_load(struct params *p, const struct safetensors *file)
{
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        if (load_one(p, file, "", one, one->var.data))
            one->loaded = true;
        if (one->m) {
            load_one(p, file, FIRST_MOMENT, one, one->m);
            load_one(p, file, SECOND_MOMENT, one, one->v);
        }
    }
}

void params_require(struct params *p, const char *path)
{
    for (int i = 0; i < p->count; i++)
        if (!p->list[i]->loaded)
            missing(p, path, "", p->list[i]);
}

void params_restore(struct params *p, const struct safetensors *file)
{
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        if (!load_one(p, file, "", one, one->var.data))
            missing(p, file->path, "", one);
        if (one->m && !load_one(p, file, FIRST_MOMENT, one, one->m))
            missing(p, file->path, FIRST_MOMENT, one);
        if (one->v && !load_one(p, file, SECOND_MOMENT, one, one->v))
            missing(p, file->path, SECOND_MOMENT, one);
    }
}

/* A host copy of a parameter's numbers, as safetensors_write takes it. */
static struct safetensor copy_out(struct params *p, const struct parameter *one, const char *prefix,
                                  const float *from)
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

void params_save(struct params *p, const char *path, bool moments, const char *const (*metadata)[2],
                 size_t metadata_count)
{
    struct safetensor *all = msa_calloc(p->m, 3 * (size_t)p->count + 1, sizeof *all);
    size_t count = 0;
    for (int i = 0; i < p->count; i++) {
        const struct parameter *one = p->list[i];
        all[count++] = copy_out(p, one, "", one->var.data);
        if (moments && one->m) {
            all[count++] = copy_out(p, one, FIRST_MOMENT, one->m);
            all[count++] = copy_out(p, one, SECOND_MOMENT, one->v);
        }
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

void params_update(struct params *p, const struct optimizer *o)
{
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        if (one->var.wants)
            p->device->k.adamw(p->device, one->var.data, one->m, one->v, one->var.grad,
                               one->var.count, o->lr, o->beta1, o->beta2, o->eps,
                               optimizer_decays(o, one->name) ? o->decay : 0, o->t);
    }
}
