/* Safetensors files: 8 bytes of header length, a JSON header, the data. */
#include "common/formats/safetensors_header.h"
#include "common/run/content.h"

#include <stdlib.h>
#include <string.h>

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- Reading ---- */

static float as_float(const uint8_t *from, int dtype)
{
    union {
        uint32_t bits;
        float number;
    } shifted = {0};
    _Float16 half;
    double wide;
    switch (dtype) {
    case F16:
        memcpy(&half, from, sizeof half);
        return (float)half;
    case F64:
        memcpy(&wide, from, sizeof wide);
        return (float)wide;
    default: /* F32, or its upper half */
        memcpy((char *)&shifted.bits + (dtype == BF16 ? 2 : 0), from,
               safetensors_dtypes[dtype].size);
        return shifted.number;
    }
}

/* A tensor's numbers: where they are, or a copy where they are no floats or where no float may be;
 * none of a dtype that holds no reals. */
static void place_one(struct reading *r, const struct span *span, const uint8_t *from)
{
    struct safetensor *t = span->tensor;
    int dtype = (int)(span->dtype - safetensors_dtypes);
    t->data = (const void *)from;
    if (dtype == F32 && (uintptr_t)from % sizeof(float) == 0)
        return;
    t->data = t->converted = span->dtype->real ? msa_calloc(r->m, t->count, sizeof(float)) : NULL;
    for (size_t i = 0; t->converted && i < t->count; i++)
        t->converted[i] = as_float(from + i * span->dtype->size, dtype);
}

static void leave_out(struct reading *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->s->count; i++)
        if (r->s->tensors[i].data)
            r->s->tensors[kept++] = r->s->tensors[i];
        else
            msa_free(r->m, (char *)r->s->tensors[i].name);
    r->s->count = kept;
}

/* Where each tensor's numbers are; then the order of all. */
static void place(struct reading *r)
{
    const uint8_t *data = r->s->map.bytes + SAFETENSORS_PREFIX + r->header;
    for (size_t i = 0; i < r->s->count; i++)
        place_one(r, &r->spans[i], data + r->spans[i].begin);
    leave_out(r);
    if (r->s->metadata_count)
        qsort(r->s->metadata, r->s->metadata_count, sizeof *r->s->metadata, compare_pairs);
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

static void unmap(void *s)
{
    file_unmap(((struct safetensors *)s)->map);
}

bool safetensors_resembles(struct msa *m, const char *path)
{
    return content_at(m, path).content == CONTENT_SAFETENSORS;
}

static struct safetensors *open_file(struct msa *m, const char *path, bool foreign)
{
    struct safetensors *s = msa_alloc(m, sizeof *s);
    struct reading r = {.m = m, .s = s, .foreign = foreign};
    msa_at_free(s, unmap);
    s->path = path;
    content_expect(m, path, CONTENT_SAFETENSORS, "parameters, a safetensors file");
    s->map = file_map(m, path);
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
    for (size_t i = 0; i < s->count; i++) {
        msa_free(m, (char *)s->tensors[i].name);
        msa_free(m, s->tensors[i].converted);
    }
    for (size_t i = 0; i < s->metadata_count; i++) {
        msa_free(m, (char *)s->metadata[i][0]);
        msa_free(m, (char *)s->metadata[i][1]);
    }
    msa_free(m, s->tensors);
    msa_free(m, s->metadata);
    msa_free(m, s);
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct safetensor key = {.name = name};
    return s->count ? bsearch(&key, s->tensors, s->count, sizeof key, compare_tensors) : NULL;
}

const char *safetensors_metadata(const struct safetensors *s, const char *key)
{
    const char *(*pair)[2] = s->metadata_count ? bsearch(&key, s->metadata, s->metadata_count,
                                                         sizeof *s->metadata, compare_pairs)
                                               : NULL;
    return pair ? (*pair)[1] : NULL;
}
