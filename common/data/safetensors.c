/* Safetensors files: 8 bytes of header length, a JSON header, the data. */
#include "common/data/safetensors.h"
#include "common/cli/json.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIX = 8 };
/* What a header may be, before memory is taken for it: as JSON values, text may take 80 times its
 * size. Real ones have some 25 kB for 200 tensors, of at most 14 values each. */
enum { HEADER_MAX = 1 << 20, VALUES_MAX = 1 << 17, DEPTH_MAX = 3 };

/* ---- Reading ---- */

/* A file being read. Errors are kept until the JSON has been released; the first one counts. */
struct reading {
    struct msa *m;
    struct safetensors *s;
    bool foreign;  /* dtypes other than F32 are allowed */
    size_t header; /* bytes */
    size_t data;   /* bytes */
    char wrong[512];
    struct span {
        size_t begin, end;
        struct safetensor *tensor;
        const struct dtype_name *dtype;
    } * spans; /* of the tensors, in the data */
};

/* The dtypes of the format: bytes of a number, and whether it is a real one. */
static const struct dtype_name {
    const char *name;
    size_t size;
    bool real;
} dtype_list[] = {{"F32", 4, true},   {"F16", 2, true},      {"BF16", 2, true},    {"F64", 8, true},
                  {"I64", 8, false},  {"I32", 4, false},     {"I16", 2, false},    {"I8", 1, false},
                  {"U64", 8, false},  {"U32", 4, false},     {"U16", 2, false},    {"U8", 1, false},
                  {"BOOL", 1, false}, {"F8_E4M3", 1, false}, {"F8_E5M2", 1, false}};
enum { F32, F16, BF16, F64, DTYPE_LIST = sizeof dtype_list / sizeof *dtype_list };

static bool wrong(struct reading *r, const char *format, ...) MSA_PRINTF(2, 3);
static bool wrong(struct reading *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!r->wrong[0])
        vsnprintf(r->wrong, sizeof r->wrong, format, arguments);
    va_end(arguments);
    return false;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A whole number that is not negative. */
static bool size_of(const json_t *number, size_t *size)
{
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *size = (size_t)json_integer_value(number);
    return true;
}

static bool read_shape(struct reading *r, struct safetensor *t, const json_t *shape)
{
    if (!json_is_array(shape) || json_array_size(shape) > 8)
        return wrong(r, "tensor '%.160s': its shape is no list of at most 8 sizes", t->name);
    t->rank = (int)json_array_size(shape);
    t->count = 1;
    for (size_t i = 0; i < (size_t)t->rank; i++)
        if (!size_of(json_array_get(shape, i), &t->shape[i]) ||
            __builtin_mul_overflow(t->count, t->shape[i], &t->count))
            return wrong(r, "tensor '%.160s': size %zu of its shape is impossible", t->name, i);
    return true;
}

static bool read_dtype(struct reading *r, const struct safetensor *t, struct span *span,
                       const json_t *entry)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    for (int i = 0; dtype && i < (r->foreign ? DTYPE_LIST : 1); i++)
        if (strcmp(dtype, dtype_list[i].name) == 0)
            span->dtype = &dtype_list[i];
    return span->dtype ||
           wrong(r, "tensor '%.160s': dtype %.16s but expected %s", t->name,
                 dtype ? dtype : "missing", r->foreign ? "one of the format" : "F32");
}

static bool read_tensor(struct reading *r, struct safetensor *t, struct span *span,
                        const json_t *entry)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t bytes;
    span->tensor = t;
    if (!read_dtype(r, t, span, entry))
        return false;
    if (!read_shape(r, t, json_object_get(entry, "shape")))
        return false;
    if (json_array_size(offsets) != 2 || !size_of(json_array_get(offsets, 0), &span->begin) ||
        !size_of(json_array_get(offsets, 1), &span->end) || span->end < span->begin)
        return wrong(r, "tensor '%.160s': its data_offsets are no begin and end", t->name);
    if (__builtin_mul_overflow(t->count, span->dtype->size, &bytes) ||
        span->end - span->begin != bytes)
        return wrong(r, "tensor '%.160s': %zu bytes but expected %zu values of %zu", t->name,
                     span->end - span->begin, t->count, span->dtype->size);
    return true;
}

static bool read_metadata(struct reading *r, json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return wrong(r, "__metadata__ is no object of strings");
    r->s->metadata = msa_calloc(r->m, json_object_size(object), sizeof *r->s->metadata);
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return wrong(r, "__metadata__: '%.160s' is no string", key);
        const char **pair = r->s->metadata[r->s->metadata_count++];
        pair[0] = msa_strndup(r->m, key, strlen(key));
        pair[1] = msa_strndup(r->m, json_string_value(value), json_string_length(value));
    }
    qsort(r->s->metadata, r->s->metadata_count, sizeof *r->s->metadata, compare_pairs);
    return true;
}

static bool read_header(struct reading *r, json_t *header)
{
    const char *key;
    json_t *value;
    r->s->tensors = msa_calloc(r->m, json_object_size(header), sizeof *r->s->tensors);
    r->spans = msa_calloc(r->m, json_object_size(header), sizeof *r->spans);
    json_object_foreach(header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            if (!read_metadata(r, value))
                return false;
            continue;
        }
        struct safetensor *t = &r->s->tensors[r->s->count];
        t->name = msa_strndup(r->m, key, strlen(key));
        if (!read_tensor(r, t, &r->spans[r->s->count++], value))
            return false;
    }
    return true;
}

/* The spans cover the data from its first byte to its last, each byte once. */
static bool check_spans(struct reading *r)
{
    size_t at = 0;
    qsort(r->spans, r->s->count, sizeof *r->spans, compare_spans);
    for (size_t i = 0; i < r->s->count; i++) {
        if (r->spans[i].begin != at)
            return wrong(r, "tensor '%.160s' starts at %zu of the data but expected %zu",
                         r->spans[i].tensor->name, r->spans[i].begin, at);
        at = r->spans[i].end;
    }
    return at == r->data ||
           wrong(r, "tensors end at %zu of the data but expected %zu", at, r->data);
}

/* Each value of a JSON text but the first follows a '{', '[' or ','. */
static bool check_values(struct reading *r, const char *text)
{
    size_t values = 1;
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < r->header; i++) {
        char c = text[i];
        bool opens = !quoted && (c == '{' || c == '['), closes = !quoted && (c == '}' || c == ']');
        values += opens || (!quoted && c == ',');
        depth += opens - closes;
        if (depth > DEPTH_MAX)
            return wrong(r, "header, byte %zu: nested deeper than %d", i, DEPTH_MAX);
        if (quoted && c == '\\')
            i++;
        else
            quoted ^= c == '"';
    }
    return values <= VALUES_MAX ||
           wrong(r, "header of %zu values, and at most %d are allowed", values, VALUES_MAX);
}

static void parse(struct reading *r)
{
    json_error_t error;
    const char *text = (const char *)r->s->map.bytes + PREFIX;
    if (!check_values(r, text))
        return;
    json_t **header = json_holder(r->m);
    *header = json_loadb(text, r->header, JSON_REJECT_DUPLICATES, &error);
    if (!*header)
        wrong(r, "header, byte %d: %s", error.position, error.text);
    else if (!json_is_object(*header))
        wrong(r, "header is no JSON object");
    else if (read_header(r, *header))
        check_spans(r);
    msa_free(r->m, header);
    for (char *c = r->wrong; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

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
        memcpy((char *)&shifted.bits + (dtype == BF16 ? 2 : 0), from, dtype_list[dtype].size);
        return shifted.number;
    }
}

/* A tensor's numbers: where they are, or a copy where they are no floats or where no float may be;
 * none of a dtype that holds no reals. */
static void place_one(struct reading *r, const struct span *span, const uint8_t *from)
{
    struct safetensor *t = span->tensor;
    int dtype = (int)(span->dtype - dtype_list);
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

/* Where each tensor's numbers are; then their order. */
static void place(struct reading *r)
{
    const uint8_t *data = r->s->map.bytes + PREFIX + r->header;
    for (size_t i = 0; i < r->s->count; i++)
        place_one(r, &r->spans[i], data + r->spans[i].begin);
    leave_out(r);
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

bool safetensors_resembles(const char *path)
{
    char start[PREFIX + 1];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool begins = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                  pread(fd, start, sizeof start, 0) == sizeof start && start[PREFIX] == '{';
    if (fd >= 0)
        close(fd);
    return begins;
}

static struct safetensors *open_file(struct msa *m, const char *path, bool foreign)
{
    struct safetensors *s = msa_alloc(m, sizeof *s);
    struct reading r = {.m = m, .s = s, .foreign = foreign};
    msa_at_free(s, unmap);
    s->path = path;
    s->map = file_map(m, path);
    if (s->map.size < PREFIX)
        msa_fail(m, MSA_CORRUPT, "%s: %zu bytes are no safetensors file", path, s->map.size);
    for (size_t i = PREFIX; i-- > 0;)
        r.header = r.header << 8 | s->map.bytes[i];
    if (r.header > HEADER_MAX || r.header > s->map.size - PREFIX)
        msa_fail(m, MSA_CORRUPT,
                 "%s: header of %zu bytes in a file of %zu, and at most %d are allowed", path,
                 r.header, s->map.size, HEADER_MAX);
    r.data = s->map.size - PREFIX - r.header;
    parse(&r);
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
