/* What is checked of a split before it is used: its labels, and that no two samples have one id. */
#include "common/data/dataset.h"

#include <stdlib.h>
#include <string.h>

static void check_labels(struct dataset *d, enum split split, int tensor)
{
    float label;
    for (size_t i = 0; i < d->split[split].count; i++)
        dataset_read(d, split, tensor, i, NON_FINITE_FAIL, &label);
}

/* ---- Ids ---- */

/* The ids of a split in order. Each is kept as a number that it makes; where two are the same, the
 * ids are looked at themselves. */
struct id {
    uint64_t hash;
    uint32_t sample;
};

struct ids {
    struct dataset *d;
    enum split split;
};

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 0x100000001b3;
    return hash;
}

static int compare_ids(const struct ids *ids, const struct id *a, const struct id *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    char *one = dataset_id(ids->d, ids->split, a->sample),
         *other = dataset_id(ids->d, ids->split, b->sample);
    int order = strcmp(one, other);
    msa_free(ids->d->m, one);
    msa_free(ids->d->m, other);
    return order;
}

static int in_order(const void *a, const void *b, void *ids)
{
    const struct id *one = a, *other = b;
    int order = one == other ? 0 : compare_ids(ids, one, other);
    return order ? order : one->sample < other->sample ? -1 : one->sample > other->sample;
}

struct duplicates dataset_duplicates(struct dataset *d, enum split split)
{
    size_t n = d->split[split].count;
    struct ids ids = {d, split};
    struct duplicates found = {.second = n};
    struct id *all = msa_calloc(d->m, n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        char *id = dataset_id(d, split, i);
        all[i] = (struct id){hash_of(id), (uint32_t)i};
        msa_free(d->m, id);
    }
    qsort_r(all, n, sizeof *all, in_order, &ids);
    for (size_t i = 1; i < n; i++) {
        if (compare_ids(&ids, &all[i - 1], &all[i]) != 0)
            continue;
        found.count++;
        if (all[i].sample < found.second) {
            found.first = all[i - 1].sample;
            found.second = all[i].sample;
        }
    }
    msa_free(d->m, all);
    return found;
}

void dataset_check(struct dataset *d, enum split split)
{
    for (int i = 0; i < LABELS; i++)
        if (d->labels[i] >= 0)
            check_labels(d, split, d->labels[i]);
    struct duplicates same = dataset_duplicates(d, split);
    if (same.count)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: samples %zu and %zu are both called '%s', but expected an id of its own "
                 "for each",
                 d->path, split_names[split], same.first, same.second,
                 dataset_id(d, split, same.second));
}
