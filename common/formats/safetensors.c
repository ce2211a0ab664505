/* Safetensors files: 8 bytes of header length, a JSON header, the data. */
#include "common/formats/safetensors_header.h"
#include "common/run/content.h"
#include "common/run/sorted.h"

#include <stdlib.h>
#include <string.h>

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

/* ---- Reading ---- */

static float as_float(const uint8_t *from, const struct safetensors_dtype *of)
{
    union {
        uint32_t bits;
        float number;
    } shifted = {0};
    _Float16 half;
    double wide;
    int dtype = (int)(of - safetensors_dtypes);
    switch (dtype) {
    case F16:
        memcpy(&half, from, sizeof half);
        return (float)half;
    case F64:
        memcpy(&wide, from, sizeof wide);
        return (float)wide;
    default: /* F32, or its upper half */
        memcpy((char *)&shifted.bits + (dtype == BF16 ? 2 : 0), from, of->size);
        return shifted.number;
    }
}

static size_t number_size(const struct safetensor *t)
{
    return t->dtype ? t->dtype->size : sizeof(float);
}

static void copy_floats(const struct safetensor *t, size_t at, size_t count, float *to)
{
    const uint8_t *from = (const uint8_t *)t->data + at * number_size(t);
    if (!t->dtype)
        memcpy(to, from, count * sizeof *to);
    for (size_t i = 0; t->dtype && i < count; i++)
        to[i] = as_float(from + i * t->dtype->size, t->dtype);
}

void safetensor_read(const struct safetensors *s, const struct safetensor *t, size_t at,
                     size_t count, float *to)
{
    copy_floats(t, at, count, to);
    mapping_forget(s->map, (const uint8_t *)t->data + at * number_size(t), count * number_size(t));
}

const float *safetensor_floats(struct msa *m, const struct safetensor *t, float **copy)
{
    *copy = t->dtype ? msa_calloc(m, t->count, sizeof **copy) : NULL;
    if (*copy)
        copy_floats(t, 0, t->count, *copy);
    return *copy ? *copy : t->data;
}

/* A tensor's numbers are not looked at before they are asked for. */
static void place_one(const struct span *span, const uint8_t *from)
{
    bool floats = span->dtype == &safetensors_dtypes[F32] && (uintptr_t)from % sizeof(float) == 0;
    span->tensor->data = span->dtype->real ? from : NULL;
    span->tensor->dtype = floats ? NULL : span->dtype;
}

/* Where each tensor's numbers are; then the order of all. */
static void place(struct reading *r)
{
    const uint8_t *data = r->s->map.bytes + SAFETENSORS_PREFIX + r->header;
    for (size_t i = 0; i < r->s->count; i++)
        place_one(&r->spans[i], data + r->spans[i].begin);
    if (r->s->metadata_count)
        qsort(r->s->metadata, r->s->metadata_count, sizeof *r->s->metadata, sorted_compare);
    safetensors_sort(r->m, r->s);
    msa_free(r->m, r->spans);
}

void safetensors_sort(struct msa *m, struct safetensors *s)
{
    qsort(s->tensors, s->count, sizeof *s->tensors, compare_tensors);
    for (size_t i = 1; i < s->count; i++)
        if (strcmp(s->tensors[i - 1].name, s->tensors[i].name) == 0)
            msa_fail(m, MSA_CORRUPT, "%s: two tensors are called '%s'", s->path,
                     s->tensors[i].name);
}

bool safetensors_resembles(struct msa *m, const char *path)
{
    return content_at(m, path).content == CONTENT_SAFETENSORS;
}

static struct safetensors *open_file(struct msa *m, const char *path, bool foreign)
{
    struct safetensors *s = msa_alloc(m, sizeof *s);
    struct reading r = {.m = m, .s = s, .foreign = foreign};
    s->path = path;
    content_expect(m, path, CONTENT_SAFETENSORS, "parameters, a safetensors file");
    s->map = mapping_of(m, path);
    if (s->map.size < SAFETENSORS_PREFIX)
        msa_fail(m, MSA_CORRUPT, "%s: %zu bytes are no safetensors file", path, s->map.size);
    r.header = content_safetensors_length(s->map.bytes);
    if (r.header > HEADER_MAX || r.header > s->map.size - SAFETENSORS_PREFIX)
        msa_fail(m, MSA_CORRUPT,
                 "%s: header of %zu bytes in a file of %zu, and at most %d are allowed", path,
                 r.header, s->map.size, HEADER_MAX);
    r.data = s->map.size - SAFETENSORS_PREFIX - r.header;
    safetensors_read_header(&r);
    if (r.wrong[0])
        msa_fail(m, MSA_CORRUPT, "%s: %s", path, r.wrong);
    place(&r);
    return s;
}

struct safetensors *safetensors_open(struct msa *m, const char *path)
{
    return open_file(m, path, false);
}

struct safetensors *safetensors_open_foreign(struct msa *m, const char *path)
{
    return open_file(m, path, true);
}

void safetensors_close(struct msa *m, struct safetensors *s)
{
    for (size_t i = 0; i < s->count; i++)
        msa_free(m, (char *)s->tensors[i].name);
    for (size_t i = 0; i < s->metadata_count; i++) {
        msa_free(m, (char *)s->metadata[i][0]);
        msa_free(m, (char *)s->metadata[i][1]);
    }
    msa_free(m, s->tensors);
    msa_free(m, s->metadata);
    mapping_close(m, s->map);
    msa_free(m, s);
}

static const struct safetensor *entry(const struct safetensors *s, const char *name)
{
    struct safetensor key = {.name = name};
    return s->count ? bsearch(&key, s->tensors, s->count, sizeof key, compare_tensors) : NULL;
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
    const struct safetensor *found = entry(s, name);
    return found && found->data ? found : NULL;
}

bool safetensors_names(const struct safetensors *s, const char *name)
{
    return entry(s, name) != NULL;
}

const char *safetensors_metadata(const struct safetensors *s, const char *key)
{
    const char *(*pair)[2] = s->metadata_count ? bsearch(&key, s->metadata, s->metadata_count,
                                                         sizeof *s->metadata, sorted_compare)
                                               : NULL;
    return pair ? (*pair)[1] : NULL;
}
