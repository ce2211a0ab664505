/* Writing safetensors files: equal contents are equal bytes. */
#include "common/formats/safetensors_header.h"
#include "common/run/file.h"
#include "common/run/json.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static int compare_tensors(const void *a, const void *b)
{
    return strcmp((*(const struct safetensor *const *)a)->name,
                  (*(const struct safetensor *const *)b)->name);
}

static int compare_pairs(const void *a, const void *b)
{
    return strcmp((*(const char *const *const *)a)[0], (*(const char *const *const *)b)[0]);
}

static const struct safetensor **sorted_tensors(struct msa *m, const struct safetensor *tensors,
                                                size_t count)
{
    const struct safetensor **sorted = msa_calloc(m, count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &tensors[i];
    qsort(sorted, count, sizeof *sorted, compare_tensors);
    return sorted;
}

static const char *const **sorted_pairs(struct msa *m, const char *const (*pairs)[2], size_t count)
{
    const char *const **sorted = msa_calloc(m, count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = pairs[i];
    qsort(sorted, count, sizeof *sorted, compare_pairs);
    return sorted;
}

static json_t *metadata_json(const char *const **pairs, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, pairs[i][0], json_string(pairs[i][1]));
    return object;
}

static json_t *tensor_json(const struct safetensor *t, size_t begin)
{
    json_t *shape = json_array();
    bool failed = false;
    for (int i = 0; i < t->rank; i++)
        failed |= json_array_append_new(shape, json_integer((json_int_t)t->shape[i])) != 0;
    if (failed) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + t->count * sizeof(float)));
}

/* The header as text; NULL when a name is no UTF-8, stands twice, or there is no memory. */
static char *header_text(struct msa *m, const struct safetensor **tensors, size_t count,
                         const char *const **pairs, size_t pair_count)
{
    json_t **header = json_holder(m);
    size_t begin = 0, entries = count + (pair_count > 0);
    *header = json_object();
    if (pair_count > 0)
        json_object_set_new(*header, "__metadata__", metadata_json(pairs, pair_count));
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(*header, tensors[i]->name, tensor_json(tensors[i], begin));
        begin += tensors[i]->count * sizeof(float);
    }
    bool whole = json_object_size(*header) == entries &&
                 (pair_count == 0 ||
                  json_object_size(json_object_get(*header, "__metadata__")) == pair_count);
    char *text = whole ? json_text(m, *header) : NULL;
    msa_free(m, header);
    return text;
}

/* A file being written, and the checksum of what is in it. */
struct writing {
    FILE *to;
    struct checksum sum;
};

static void put(struct writing *w, const void *bytes, size_t size)
{
    fwrite(bytes, 1, size, w->to);
    checksum_add(&w->sum, bytes, size);
}

/* The header's length and the header, filled up with spaces so that the data are aligned. */
static void put_header(struct writing *w, const char *text)
{
    char spaces[ALIGNMENT];
    memset(spaces, ' ', sizeof spaces);
    size_t length = strlen(text),
           pad = (ALIGNMENT - (SAFETENSORS_PREFIX + length) % ALIGNMENT) % ALIGNMENT;
    uint8_t prefix[SAFETENSORS_PREFIX];
    for (size_t i = 0; i < SAFETENSORS_PREFIX; i++)
        prefix[i] = (uint8_t)((uint64_t)(length + pad) >> 8 * i);
    put(w, prefix, sizeof prefix);
    put(w, text, length);
    put(w, spaces, pad);
}

static void put_tensor(struct writing *w, const struct safetensor *t, safetensor_piece *piece,
                       void *self)
{
    for (size_t at = 0, count; at < t->count; at += count) {
        count = safetensor_piece_size(t->count, at);
        put(w, piece(self, t, at, count), count * sizeof(float));
    }
}

static const float *piece_of_data(void *self, const struct safetensor *t, size_t at, size_t count)
{
    (void)self, (void)count;
    return (const float *)t->data + at;
}

struct checksum safetensors_write(struct msa *m, const char *path, const struct safetensor *tensors,
                                  size_t count, const char *const (*metadata)[2],
                                  size_t metadata_count)
{
    return safetensors_write_pieces(m, path, tensors, count, metadata, metadata_count,
                                    piece_of_data, NULL);
}

struct checksum safetensors_write_pieces(struct msa *m, const char *path,
                                         const struct safetensor *tensors, size_t count,
                                         const char *const (*metadata)[2], size_t metadata_count,
                                         safetensor_piece *piece, void *self)
{
    const struct safetensor **sorted = sorted_tensors(m, tensors, count);
    const char *const **pairs = sorted_pairs(m, metadata, metadata_count);
    struct file *f = file_create(m, path);
    struct writing w = {.to = file_stream(m, f)};
    char *header = header_text(m, sorted, count, pairs, metadata_count);
    if (!header)
        msa_fail(m, MSA_FAILED,
                 "cannot write '%s': two names are equal, one is no UTF-8, or there is no memory",
                 path);
    put_header(&w, header);
    msa_free(m, header);
    for (size_t i = 0; i < count; i++)
        put_tensor(&w, sorted[i], piece, self);
    file_commit(m, f);
    msa_free(m, sorted);
    msa_free(m, pairs);
    return w.sum;
}
