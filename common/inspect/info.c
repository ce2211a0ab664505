/* Counting what is in a data set. */
#include "common/inspect/info.h"
#include "common/metrics/metrics.h"
#include "common/run/file.h"
#include "common/stream/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const int info_shares[INFO_SHARES] = {5, 25, 50, 75, 95};

/* As label_class numbers them. */
static const char *const sims_classes[] = {"negative", "weak_negative", "neutral", "weak_positive",
                                           "positive"};
static const char *const mosi_classes[] = {"-3", "-2", "-1", "0", "1", "2", "3"};

bool info_has_lengths(const struct info *info, int tensor)
{
    const struct schema_entry *e = &info->data->schema.entries[tensor];
    for (int i = 0; i < MODALITIES; i++)
        if (strcmp(e->name, modality_names[i]) == 0)
            return e->rank == 3 && e->dtype == F4;
    return false;
}

/* ---- Keys ---- */

struct listing {
    struct info *info;
    enum split split;
};

static struct info_key *key_named(struct info *info, const char *key)
{
    for (int i = 0; i < info->key_count; i++)
        if (strcmp(info->keys[i].key, key) == 0)
            return &info->keys[i];
    if (info->key_count == INFO_KEYS)
        return NULL;
    struct info_key *fresh = &info->keys[info->key_count++];
    fresh->key = msa_strndup(info->data->m, key, strlen(key));
    return fresh;
}

static void list_key(void *closure, const char *key, const char *dtype, int rank,
                     const size_t *shape, const char *becomes)
{
    const struct listing *listing = closure;
    struct info_key *k = key_named(listing->info, key);
    if (!k) {
        listing->info->keys_left_out++;
        return;
    }
    struct info_array *a = &k->in[listing->split];
    k->becomes = becomes;
    a->rank = rank;
    snprintf(a->dtype, sizeof a->dtype, "%s", dtype);
    memcpy(a->shape, shape, (size_t)rank * sizeof *shape);
}

/* ---- Values ---- */

static void count_value(struct info_tensor *t, double number)
{
    t->nan += isnan(number);
    t->plus += isinf(number) && number > 0;
    t->minus += isinf(number) && number < 0;
}

/* Counts what is not finite in a sample, and makes float32 of it 0, as msa-load does. */
static void count_values(struct info_tensor *t, const struct schema_entry *e, void *sample,
                         size_t elements)
{
    struct tensor all = tensor_of(e->name, e->dtype, sample, 1, &elements);
    for (size_t i = 0; i < elements; i++) {
        double number = tensor_value(&all, i);
        if (isfinite(number))
            continue;
        count_value(t, number);
        if (e->dtype == F4)
            ((float *)sample)[i] = 0;
    }
}

static size_t length_of(const float *sample, size_t frames, size_t width)
{
    size_t length = 0;
    for (size_t f = 0; f < frames; f++)
        length += !frame_is_padding(sample + f * width, width, f == 0);
    return length;
}

/* The smallest length that so many hundredths of the samples do not exceed. */
static size_t share_of(const size_t *counts, size_t samples, int hundredths)
{
    size_t length = 0, seen = counts[0];
    while ((double)seen * 100 < (double)samples * hundredths)
        seen += counts[++length];
    return length;
}

static void sum_lengths(struct info_lengths *l, const size_t *counts, size_t frames, size_t samples)
{
    l->least = share_of(counts, samples, 0);
    while (l->least < frames && !counts[l->least])
        l->least++;
    l->most = share_of(counts, samples, 100);
    for (int i = 0; i < INFO_SHARES; i++)
        l->shares[i] = share_of(counts, samples, info_shares[i]);
    for (size_t length = 0; length < frames; length++)
        l->padding += counts[length] * (frames - length);
}

static void read_tensor(struct info *info, enum split split, int tensor)
{
    struct dataset *d = info->data;
    const struct schema_entry *e = &d->schema.entries[tensor];
    size_t elements = dataset_elements(d, tensor), samples = d->split[split].count;
    size_t frames = info_has_lengths(info, tensor) ? e->shape[1] : 0;
    struct info_tensor *t = &info->tensors[split][tensor];
    void *sample = msa_calloc(d->m, elements, dtype_size(e->dtype));
    size_t *counts = msa_calloc(d->m, frames + 1, sizeof *counts); /* samples of each length */
    for (size_t i = 0; i < samples; i++) {
        d->format->read(d, split, tensor, i, sample);
        count_values(t, e, sample, elements);
        if (frames)
            counts[length_of(sample, frames, e->shape[2])]++;
    }
    if (frames && samples)
        sum_lengths(&t->lengths, counts, frames, samples);
    msa_free(d->m, counts);
    msa_free(d->m, sample);
}

static void read_label(struct info *info, enum split split, int tensor)
{
    struct dataset *d = info->data;
    struct info_tensor *t = &info->tensors[split][tensor];
    struct info_label *l = &t->label;
    size_t finite = 0;
    *l = (struct info_label){.least = INFINITY, .most = -INFINITY};
    for (size_t i = 0; i < d->split[split].count; i++) {
        float label;
        d->format->read(d, split, tensor, i, &label);
        count_value(t, (double)label);
        if (!isfinite(label))
            continue;
        l->mean += ((double)label - l->mean) / (double)++finite;
        l->least = fmin(l->least, (double)label);
        l->most = fmax(l->most, (double)label);
        l->classes[label_class(label, info->class_count, (enum family)info->family)]++;
    }
    if (!finite)
        l->least = l->mean = l->most = NAN;
}

/* ---- The whole ---- */

static void choose_classes(struct info *info)
{
    bool sims = info->family == FAMILY_SIMS;
    info->class_count = sims ? 5 : 7;
    info->class_names = sims ? sims_classes : mosi_classes;
}

static void read_split(struct info *info, enum split split)
{
    struct dataset *d = info->data;
    struct listing listing = {info, split};
    d->format->describe(d, split, list_key, &listing);
    info->duplicates[split] = dataset_duplicates(d, split).count;
    for (int i = 0; i < d->schema.count; i++)
        if (dataset_is_label(d, i))
            read_label(info, split, i);
        else if (!dtype_whole(d->schema.entries[i].dtype))
            read_tensor(info, split, i);
}

struct info *info_of(struct dataset *d, int split, int family)
{
    struct info *info = msa_alloc(d->m, sizeof *info);
    info->data = d;
    info->family = family < 0 ? dataset_family(d) : family;
    choose_classes(info);
    for (int i = 0; i < SPLITS; i++) {
        info->shown[i] = split < 0 || split == i;
        if (info->shown[i])
            read_split(info, (enum split)i);
    }
    return info;
}

void info_print(const struct info *info, bool json)
{
    struct msa *m = info->data->m;
    const char *path = m->common.output;
    bool named = path && strcmp(path, "-") != 0;
    struct file *file = named ? file_create(m, path) : NULL;
    FILE *to = file ? file_stream(m, file) : stdout;
    if (json)
        info_json(info, to);
    else
        info_text(info, to);
    if (file)
        file_commit(m, file);
}
