/* Batches of a data set. */
#include "common/dataset/batch.h"
#include "common/dataset/tensor_names.h"
#include "common/stream/tensor_codec.h"
#include <libdeflate.h>
#include <stdio.h>
#include <string.h>

static bool is_dropped(const char *name, const bool dropped[MODALITIES])
{
    int modality = name_modality(name);
    return modality >= 0 && dropped[modality];
}

struct batcher batcher_new(struct msa *m, struct dataset *data, const bool dropped[MODALITIES],
                           enum non_finite non_finite, size_t size, size_t group)
{
    size_t most = dataset_largest(data);
    struct batcher b = {.m = m,
                        .data = data,
                        .non_finite = non_finite,
                        .label = data->labels[LABEL_JOINT],
                        .size = (size < most ? size : most) * group};
    b.positions = msa_calloc(m, b.size + 1, sizeof *b.positions);
    for (int i = 0; i < data->schema.count; i++)
        b.dropped[i] = is_dropped(data->schema.entries[i].name, dropped);
    for (int i = 0; i < RECORD_TEXTS; i++)
        b.dropped_texts[i] = is_dropped(record_texts[i], dropped);
    return b;
}

void batcher_average(struct batcher *b, enum modality modality)
{
    const struct schema_entry *frames = schema_floats(b->m, &b->data->schema,
                                                      modality_names[modality], 3),
                              *lengths = schema_find(&b->data->schema, length_names[modality]);
    if (!frames)
        return;
    b->averaged[frames - b->data->schema.entries] = true;
    if (lengths && lengths->dtype == I8 && lengths->rank == 1)
        b->averaged[lengths - b->data->schema.entries] = true;
}

bool batcher_relabel(struct batcher *b, enum modality modality)
{
    bool there = b->data->labels[modality] >= 0;
    if (there)
        b->label = b->data->labels[modality];
    return there;
}

/* What a tensor is like in records. */
static struct schema_entry entry_of(const struct batcher *b, int tensor)
{
    struct schema_entry e = b->data->schema.entries[tensor];
    if (b->averaged[tensor] && e.rank == 3)
        e.shape[1] = 1;
    return e;
}

void batcher_schema(const struct batcher *b, struct schema *schema)
{
    for (int i = 0; i < b->data->schema.count; i++) {
        struct schema_entry e = entry_of(b, i);
        if (b->dropped[i])
            continue;
        schema_add(b->m, schema, e.name, e.dtype, e.rank, e.shape, false);
        schema_columns(schema, e.name, e.columns);
    }
    schema_add(b->m, schema, "index", I8, 1, (size_t[]){0}, false);
}

bool batcher_has_features(const struct batcher *b)
{
    for (int i = 0; i < b->data->schema.count; i++)
        if (!b->dropped[i] && !dataset_is_label(b->data, i))
            return true;
    return false;
}

value batcher_samples(struct batcher *b, msgpack_zone *zone)
{
    value samples = value_map();
    for (int i = 0; i < SPLITS; i++) {
        size_t count = b->data->split[i].count;
        if (count)
            value_set(b->m, zone, &samples, split_names[i], value_of_int((int64_t)count));
    }
    return samples;
}

static value standardize_one(struct batcher *b, msgpack_zone *zone, int tensor)
{
    size_t width = b->data->schema.entries[tensor].shape[2];
    float *mean = msa_calloc(b->m, width, sizeof *mean),
          *scale = msa_calloc(b->m, width, sizeof *scale);
    value one = value_map();
    dataset_standardization(b->data, tensor, b->non_finite, b->averaged[tensor], mean, scale);
    value_set(b->m, zone, &one, "mean", value_of_floats(b->m, zone, "mean", mean, width));
    value_set(b->m, zone, &one, "scale", value_of_floats(b->m, zone, "scale", scale, width));
    return one;
}

value batcher_standardization(struct batcher *b, msgpack_zone *zone)
{
    value all = value_map();
    for (int i = 0; i < MODALITIES; i++) {
        int tensor = dataset_find(b->data, modality_names[i]);
        if (tensor < 0 || b->dropped[tensor])
            continue;
        schema_floats(b->m, &b->data->schema, modality_names[i], 3);
        value_set(b->m, zone, &all, modality_names[i], standardize_one(b, zone, tensor));
    }
    if (all.via.map.size == 0)
        msa_fail(b->m, MSA_FAILED, "--standardize: no 'text', 'vision' or 'audio' in %s",
                 b->data->path);
    return all;
}

static void sum_up(struct batcher *b, size_t i, const void *bytes, size_t size)
{
    if (b->crcs)
        b->crcs[i] = libdeflate_crc32(b->crcs[i], bytes, size);
}

/* A sample's part of a tensor, as records have it. Where that is a mean, `frames` has room for what
 * it is of; else NULL. */
static void read_one(struct batcher *b, enum split split, int tensor, size_t i, float *frames,
                     void *out)
{
    const struct schema_entry *e = &b->data->schema.entries[tensor];
    int from = tensor == b->data->labels[LABEL_JOINT] ? b->label : tensor;
    const int64_t one = 1;
    if (b->averaged[tensor] && e->rank == 1) {
        memcpy(out, &one, sizeof one);
        return;
    }
    dataset_read(b->data, split, from, i, b->non_finite, frames ? frames : out);
    if (frames)
        frames_mean(out, frames, e->shape[1], e->shape[2]);
}

static void put_tensor(struct batcher *b, struct record *r, enum split split, int tensor,
                       const uint32_t *index, size_t count)
{
    struct schema_entry e = entry_of(b, tensor);
    bool mean = b->averaged[tensor] && e.rank == 3;
    size_t whole = dataset_bytes(b->data, tensor),
           bytes = mean ? e.shape[2] * sizeof(float) : whole;
    if (!b->memory[tensor])
        b->memory[tensor] = msa_calloc(b->m, b->size, bytes);
    uint8_t *to = b->memory[tensor];
    float *frames = mean ? msa_alloc(b->m, whole) : NULL;
    for (size_t i = 0; i < count; i++) {
        read_one(b, split, tensor, index[i], frames, to + i * bytes);
        sum_up(b, i, to + i * bytes, bytes);
    }
    msa_free(b->m, frames);
    e.shape[0] = count;
    record_put(b->m, r, tensor_of(e.name, e.dtype, to, e.rank, e.shape));
}

static void put_index(struct batcher *b, struct record *r, const uint32_t *index, size_t count)
{
    for (size_t i = 0; i < count; i++)
        b->positions[i] = index[i];
    record_put(b->m, r, tensor_of("index", I8, b->positions, 1, &count));
}

/* What the split has none of is left out. */
static void put_texts(struct batcher *b, struct record *r, enum split split, enum record_text which,
                      const uint32_t *index, size_t count)
{
    value texts = value_nils(b->m, r->zone, count);
    for (size_t i = 0; i < count; i++) {
        char *text = dataset_text(b->data, split, which, index[i]);
        if (!text)
            return;
        sum_up(b, i, text, strlen(text) + 1);
        texts.via.array.ptr[i] = value_str(b->m, r->zone, text);
        msa_free(b->m, text);
    }
    value_set(b->m, r->zone, &r->map, record_texts[which], texts);
}

void batcher_fill(struct batcher *b, struct record *r, enum split split, const uint32_t *index,
                  size_t count)
{
    snprintf(r->split, sizeof r->split, "%s", split_names[split]);
    r->samples = count;
    if (b->crcs)
        memset(b->crcs, 0, count * sizeof *b->crcs);
    for (int i = 0; i < RECORD_TEXTS; i++)
        if (!b->dropped_texts[i])
            put_texts(b, r, split, (enum record_text)i, index, count);
    for (int i = 0; i < b->data->schema.count; i++)
        if (!b->dropped[i])
            put_tensor(b, r, split, i, index, count);
    put_index(b, r, index, count);
}
