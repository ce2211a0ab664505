/* Headers of safetensors files. */
#include "common/formats/safetensors_header.h"
#include "common/run/content.h"
#include "common/run/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct safetensors_dtype safetensors_dtypes[SAFETENSORS_DTYPES] = {
    {"F32", 4, true},   {"F16", 2, true},      {"BF16", 2, true},    {"F64", 8, true},
    {"I64", 8, false},  {"I32", 4, false},     {"I16", 2, false},    {"I8", 1, false},
    {"U64", 8, false},  {"U32", 4, false},     {"U16", 2, false},    {"U8", 1, false},
    {"BOOL", 1, false}, {"F8_E4M3", 1, false}, {"F8_E5M2", 1, false}};

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
    for (int i = 0; dtype && i < (r->foreign ? SAFETENSORS_DTYPES : 1); i++)
        if (strcmp(dtype, safetensors_dtypes[i].name) == 0)
            span->dtype = &safetensors_dtypes[i];
    return span->dtype || wrong(r, "tensor '%.160s': dtype %.16s but expected %s", t->name,
                                dtype ? dtype : "missing",
                                r->foreign ? "one of the format" : "F32, as parameters are");
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

char *safetensors_note(struct msa *m, int fd, const char *path, const char *key)
{
    uint8_t prefix[SAFETENSORS_PREFIX];
    struct json json = {0};
    if (content_start(m, fd, path, prefix, sizeof prefix) < sizeof prefix)
        return NULL;
    size_t length = content_safetensors_length(prefix);
    if (length > HEADER_MAX)
        return NULL;
    uint8_t *start = msa_alloc(m, sizeof prefix + length);
    size_t found = content_start(m, fd, path, start, sizeof prefix + length);
    const char *text = (char *)start + sizeof prefix;
    struct reading r = {.header = length};
    if (found == sizeof prefix + length && check_values(&r, text))
        json = json_read(m, text, length);
    const json_t *metadata = json_object_get(json.value, "__metadata__");
    const char *said = json_string_value(json_object_get(metadata, key));
    char *note = said ? msa_strndup(m, said, strlen(said)) : NULL;
    json_free(m, &json);
    msa_free(m, start);
    return note;
}

void safetensors_read_header(struct reading *r)
{
    const char *text = (const char *)r->s->map.bytes + SAFETENSORS_PREFIX;
    if (!check_values(r, text))
        return;
    struct json json = json_read(r->m, text, r->header);
    if (!json.value)
        wrong(r, "header, byte %d: %s", json.error.position, json.error.text);
    else if (!json_is_object(json.value))
        wrong(r, "header is no JSON object");
    else if (read_header(r, json.value))
        check_spans(r);
    json_free(r->m, &json);
}
