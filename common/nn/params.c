/* Named parameters: how they are made, and where their values come from. */
#include "common/nn/params.h"
#include "common/nn/device.h"
#include "common/nn/params_internal.h"
#include <libdeflate.h>
#include <limits.h>
#include <string.h>

struct params params_new(struct msa *m, struct device *device, uint64_t seed,
                         const struct option_list *frozen)
{
    return (struct params){
        .m = m, .device = device, .seed = seed, .frozen = frozen, .modality = -1};
}

char *params_name(struct params *p, const char *prefix, const char *name)
{
    return msa_format(p->m, "%s.%s", prefix, name);
}

/* Parameters live as long as the run, as stacks do. */
static void release(void *memory)
{
    const struct parameter *one = memory;
    if (!one->stack)
        one->device->release(one->device, one->var.data);
    for (int i = 0; i < MOMENTS; i++)
        one->device->release(one->device, one->moments[i]);
}

static void release_stack(void *memory)
{
    const struct stack *stack = memory;
    stack->device->release(stack->device, stack->var.data);
}

float *params_floats(struct params *p, size_t count, bool zero)
{
    float *memory = device_allocate(p->m, p->device, count * sizeof(float));
    if (zero)
        p->device->k.fill(p->device, memory, 0, count);
    return memory;
}

const struct safetensor *params_find(const struct params *p, const struct safetensors *file,
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

const char *params_stranger(const struct params *p, const struct safetensors *file)
{
    const char *program = safetensors_metadata(file, "program");
    if (!program)
        return msa_format(p->m, ": its metadata do not say that %s wrote it", p->m->program);
    return strcmp(program, p->m->program) == 0
               ? ""
               : msa_format(p->m, ": its metadata say that %.32s wrote it", program);
}

static _Noreturn void fail_missing(struct params *p, const char *path, const struct parameter *one,
                                   const char *whose)
{
    char shape[128];
    msa_fail(p->m, MSA_CORRUPT, "%s: no tensor '%s', expected with shape %s%s", path, one->name,
             tensor_shape_text(shape, one->var.rank, one->var.shape), whose);
}

_Noreturn void params_missing(struct params *p, const struct safetensors *file,
                              const struct parameter *one)
{
    fail_missing(p, file->path, one, params_stranger(p, file));
}

const struct safetensor *params_given(const struct params *p, const struct parameter *one,
                                      const struct safetensors **from)
{
    const struct safetensor *found = NULL;
    for (int i = p->source_count; i-- > 0 && !found;) {
        *from = p->sources[i];
        found = params_find(p, *from, one->name, one);
    }
    return found;
}

/* The same for one that is made now; fails the run where it must be there and is not. */
static const struct safetensor *find_source(struct params *p, const struct parameter *one,
                                            const struct safetensors **from)
{
    const struct safetensor *found = params_given(p, one, from);
    if (!found && p->required)
        fail_missing(p, p->required, one, "");
    if (!found && p->fixed && p->source_count && one->presence == BUFFER_REQUIRED)
        params_missing(p, p->sources[p->source_count - 1], one);
    return found;
}

bool params_in(const struct params *p, const struct safetensors *file)
{
    for (int i = 0; i < p->count; i++)
        if (safetensors_find(file, p->list[i]->name))
            return true;
    return false;
}

void params_source(struct params *p, const struct safetensors *file, bool first)
{
    size_t size = sizeof *p->sources, count = (size_t)p->source_count++;
    p->sources = msa_realloc(p->m, p->sources, (count + 1) * size);
    if (first)
        memmove(p->sources + 1, p->sources, count * size);
    p->sources[first ? 0 : count] = file;
}

static struct parameter *append(struct params *p, const char *name, int rank, const size_t *shape)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->list[i]->name, name) == 0)
            msa_fail(p->m, MSA_USAGE, "two parameters are called '%s'", name);
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 64;
        p->list = msa_realloc(p->m, p->list, (size_t)p->capacity * sizeof *p->list);
    }
    struct parameter *one = p->list[p->count++] = msa_alloc(p->m, sizeof *one);
    one->device = p->device;
    msa_at_free(one, release);
    one->name = msa_strndup(p->m, name, strlen(name));
    one->modality = p->modality;
    if (rank > VAR_RANK)
        msa_fail(p->m, MSA_FAILED, "parameter '%s': rank %d but at most %d is possible", name, rank,
                 VAR_RANK);
    one->var.rank = rank;
    one->var.count = 1;
    for (int i = 0; i < rank; i++) {
        one->var.shape[i] = shape[i];
        if (__builtin_mul_overflow(one->var.count, shape[i], &one->var.count) ||
            one->var.count > SIZE_MAX / sizeof(float))
            msa_fail(p->m, MSA_FAILED, "parameter '%s' would be too large", name);
    }
    return one;
}

/* ---- Initial values ---- */

void params_draw_as(struct params *p, const char *prefix, const char *as)
{
    size_t count = (size_t)p->alias_count++;
    p->aliases = msa_realloc(p->m, p->aliases, (count + 1) * sizeof *p->aliases);
    p->aliases[count][0] = prefix, p->aliases[count][1] = as;
}

/* The numbers that a parameter of that name is drawn from. */
static struct random stream_of(const struct params *p, const char *name)
{
    const char *drawn = name;
    for (int i = 0; i < p->alias_count; i++) {
        const char *prefix = p->aliases[i][0];
        size_t length = strlen(prefix);
        if (strncmp(name, prefix, length) == 0 && name[length] == '.')
            drawn = msa_format(p->m, "%s%s", p->aliases[i][1], name + length);
    }
    return random_stream(p->seed, drawn, 0);
}

/* Evaluation has no initial values, and need not wait for this. */
static void note_initial(struct params *p, const void *values, size_t size)
{
    if (!p->fixed)
        p->initial = libdeflate_crc32(p->initial, values, size);
}

/* Where a parameter's numbers come from, one after the other. */
struct origin {
    const struct safetensors *file;  /* that has them, */
    const struct safetensor *tensor; /* as this; NULL: they are initial ones */
    struct init init;
    struct random drawn;
};

static void take_piece(struct origin *from, size_t at, size_t count, float *to)
{
    if (from->tensor)
        safetensor_read(from->file, from->tensor, at, count, to);
    else if (from->init.kind == INIT_VALUES)
        memcpy(to, from->init.values + at, count * sizeof *to);
    else
        init_draw(from->init, &from->drawn, to, count);
}

static void initialize(struct params *p, const struct parameter *one, struct origin from)
{
    note_initial(p, one->name, strlen(one->name) + 1);
    if (!from.tensor && from.init.kind == INIT_CONSTANT) {
        p->device->k.fill(p->device, one->var.data, from.init.number, one->var.count);
        note_initial(p, &from.init.number, sizeof from.init.number);
        return;
    }
    float *host = params_piece(p->m, one->var.count);
    for (size_t at = 0, count; at < one->var.count; at += count) {
        count = safetensor_piece_size(one->var.count, at);
        take_piece(&from, at, count, host);
        p->device->copy_in(p->device, one->var.data + at, host, count * sizeof *host);
        note_initial(p, host, count * sizeof *host);
    }
    msa_free(p->m, host);
}

/* ---- Parameters ---- */

/* Memory, and a source's values or initial ones. */
static void begin(struct params *p, struct parameter *one, struct init init)
{
    struct origin from = {.init = init, .drawn = stream_of(p, one->name)};
    from.tensor = find_source(p, one, &from.file);
    one->frozen = p->fixed || one->buffer ? LONG_MAX : params_frozen(p, one->name);
    one->var.wants = one->frozen == 0;
    if (!one->stack)
        one->var.data = params_floats(p, one->var.count, false);
    initialize(p, one, from);
}

struct var *params_add(struct params *p, const char *name, struct init init, int rank,
                       const size_t *shape)
{
    struct parameter *one = append(p, name, rank, shape);
    begin(p, one, init);
    return &one->var;
}

/* The stack's variable, once sources have been seen to have what its parts need. */
static void join(struct params *p, struct stack *stack, struct parameter *const *parts, int count)
{
    const struct var *like = &parts[0]->var;
    const struct safetensors *from;
    for (int i = 0; i < count; i++)
        find_source(p, parts[i], &from);
    stack->var = *like;
    if (__builtin_mul_overflow(like->shape[0], (size_t)count, &stack->var.shape[0]) ||
        __builtin_mul_overflow(like->count, (size_t)count, &stack->var.count) ||
        stack->var.count > SIZE_MAX / sizeof(float))
        msa_fail(p->m, MSA_FAILED, "parameter '%s' would be too large", parts[0]->name);
    stack->var.data = params_floats(p, stack->var.count, false);
}

struct var *params_stack(struct params *p, int count, const char *const *names, struct init init,
                         int rank, const size_t *shape)
{
    struct stack *stack = msa_alloc(p->m, sizeof *stack);
    int first = p->count;
    stack->device = p->device;
    msa_at_free(stack, release_stack);
    for (int i = 0; i < count; i++)
        append(p, names[i], rank, shape);
    join(p, stack, p->list + first, count);
    for (int i = 0; i < count; i++) {
        struct parameter *one = p->list[first + i];
        one->stack = stack;
        one->var.data = stack->var.data + (size_t)i * one->var.count;
        begin(p, one, init);
        stack->var.wants = stack->var.wants || one->var.wants;
        stack->trained = stack->trained || one->frozen < LONG_MAX;
    }
    return &stack->var;
}

struct var *params_buffer(struct params *p, const char *name, struct init init, int rank,
                          const size_t *shape, enum presence presence)
{
    struct parameter *one = append(p, name, rank, shape);
    one->buffer = true;
    one->presence = presence;
    begin(p, one, init);
    return &one->var;
}

struct var *params_add_if(struct params *p, bool asked, const char *name, struct init init,
                          int rank, const size_t *shape)
{
    return asked ? params_add(p, name, init, rank, shape)
                 : params_buffer(p, name, init, rank, shape, BUFFER_REQUIRED);
}
