/* Batches of a data set. */
#include "common/data/batch.h"
#include "common/data/names.h"
#include <stdio.h>
#include <string.h>

/* Slots of memory: features T V A, text_bert, labels T V A and joint. */
enum { SLOT_BERT = MODALITIES, SLOT_LABELS };

struct batcher batcher_new(struct msa *m, struct dataset *data, const bool dropped[MODALITIES],
                           enum non_finite non_finite, size_t size)
{
    struct batcher b = {.m = m, .data = data, .non_finite = non_finite, .size = size};
    memcpy(b.dropped, dropped, sizeof b.dropped);
    return b;
}

static bool has_features(const struct batcher *b, enum split split, int modality)
{
    return b->data->split[split].features[modality] && !b->dropped[modality];
}

static bool has_bert(const struct batcher *b, enum split split)
{
    return b->data->split[split].text_bert && !b->dropped[TEXT];
}

void batcher_schema(struct batcher *b, struct schema *schema, enum split example)
{
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        if (has_features(b, example, i))
            schema_add(b->m, schema, modality_names[i], F4, 3,
                       (size_t[]){0, b->data->frames[i], b->data->width[i]}, false);
    if (has_bert(b, example))
        schema_add(b->m, schema, "text_bert", I8, 3, (size_t[]){0, 3, b->data->tokens}, false);
    for (int i = LABELS - 1; i >= 0; i--)
        if (b->data->split[example].labels[i])
            schema_add(b->m, schema, name_label(name, i), F4, 1, (size_t[]){0}, false);
}

static value feature_numbers(struct batcher *b, msgpack_zone *zone, const char *name,
                             const float *numbers, size_t width)
{
    struct tensor t = tensor_of(name, F4, numbers, 1, &width);
    return value_of_tensor(b->m, zone, &t);
}

value batcher_standardization(struct batcher *b, msgpack_zone *zone)
{
    value all = value_map();
    for (int i = 0; i < MODALITIES; i++) {
        size_t width = b->data->width[i];
        if (!width || b->dropped[i])
            continue;
        float *mean = msa_calloc(b->m, width, sizeof *mean);
        float *scale = msa_calloc(b->m, width, sizeof *scale);
        value one = value_map();
        dataset_standardization(b->data, (enum modality)i, b->non_finite, mean, scale);
        value_set(b->m, zone, &one, "mean", feature_numbers(b, zone, "mean", mean, width));
        value_set(b->m, zone, &one, "scale", feature_numbers(b, zone, "scale", scale, width));
        value_set(b->m, zone, &all, modality_names[i], one);
    }
    b->data->zeroed = 0; /* they are counted when they are sent */
    return all;
}

/* The slot's memory for a full batch of items of that many bytes. */
static void *room(struct batcher *b, int slot, size_t item)
{
    if (!b->memory[slot])
        b->memory[slot] = msa_calloc(b->m, b->size, item);
    return b->memory[slot];
}

static void put_features(struct batcher *b, struct record *r, enum split split, int modality,
                         const uint32_t *index, size_t count)
{
    size_t shape[] = {count, b->data->frames[modality], b->data->width[modality]};
    size_t item = shape[1] * shape[2];
    float *to = room(b, modality, item * sizeof *to);
    for (size_t i = 0; i < count; i++)
        dataset_features(b->data, split, (enum modality)modality, index[i], b->non_finite,
                         to + i * item);
    record_put(b->m, r, tensor_of(modality_names[modality], F4, to, 3, shape));
}

static void put_bert(struct batcher *b, struct record *r, enum split split, const uint32_t *index,
                     size_t count)
{
    size_t shape[] = {count, 3, b->data->tokens};
    int64_t *to = room(b, SLOT_BERT, 3 * b->data->tokens * sizeof *to);
    for (size_t i = 0; i < count; i++)
        dataset_text_bert(b->data, split, index[i], to + i * 3 * b->data->tokens);
    record_put(b->m, r, tensor_of("text_bert", I8, to, 3, shape));
}

static void put_label(struct batcher *b, struct record *r, enum split split, int label,
                      const uint32_t *index, size_t count)
{
    char name[TENSOR_NAME + 1];
    float *to = room(b, SLOT_LABELS + label, sizeof *to);
    for (size_t i = 0; i < count; i++)
        to[i] = dataset_label(b->data, split, label, index[i]);
    record_put(b->m, r, tensor_of(name_label(name, label), F4, to, 1, &count));
}

static void put_ids(struct batcher *b, struct record *r, enum split split, const uint32_t *index,
                    size_t count)
{
    value ids = value_array();
    for (size_t i = 0; i < count; i++) {
        char *id = dataset_id(b->data, split, index[i]);
        value_push(b->m, r->zone, &ids, value_str(b->m, r->zone, id));
        msa_free(b->m, id);
    }
    value_set(b->m, r->zone, &r->map, "id", ids);
}

void batcher_fill(struct batcher *b, struct record *r, enum split split, const uint32_t *index,
                  size_t count)
{
    snprintf(r->split, sizeof r->split, "%s", split_names[split]);
    r->samples = count;
    put_ids(b, r, split, index, count);
    for (int i = 0; i < MODALITIES; i++)
        if (has_features(b, split, i))
            put_features(b, r, split, i, index, count);
    if (has_bert(b, split))
        put_bert(b, r, split, index, count);
    for (int i = LABELS - 1; i >= 0; i--)
        if (b->data->split[split].labels[i])
            put_label(b, r, split, i, index, count);
}
