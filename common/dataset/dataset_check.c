/* What is checked of a split before it is used: its labels, that no two samples have one id, and
 * that it is the one that was used before. */
#include "common/dataset/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void check_labels(struct dataset *d, enum split split, int tensor)
{
    float label;
    for (size_t i = 0; i < d->split[split].count; i++)
        dataset_read(d, split, tensor, i, NON_FINITE_FAIL, &label);
}

void outside_add(struct outside *o, float label, double range)
{
    if (!isfinite(label) || fabs((double)label) <= range * (1 + 1e-6))
        return;
    o->count++;
    if (fabs((double)label) > fabs(o->farthest))
        o->farthest = (double)label;
}

struct outside outside_both(struct outside a, struct outside b)
{
    bool first = fabs(a.farthest) >= fabs(b.farthest);
    return (struct outside){a.count + b.count, first ? a.farthest : b.farthest};
}

void outside_warn(const struct outside *o, struct msa *m, const char *from, enum family family)
{
    if (!o->count)
        return;
    double range = family_range(family);
    bool other = family == FAMILY_SIMS && fabs(o->farthest) <= family_range(FAMILY_MOSI);
    msa_warn(
        m, "%s: %zu label%s outside %g to %g, the range of family %s; the farthest from 0 is %g%s",
        from, o->count, o->count == 1 ? "" : "s", -range, range, family_names[family], o->farthest,
        other ? " (labels as in MOSI or MOSEI: --family mosi)" : "");
}

struct outside dataset_outside(struct dataset *d, enum split split, double range)
{
    struct outside found = {0};
    for (int k = 0; k < LABELS; k++)
        for (size_t i = 0; d->labels[k] >= 0 && i < d->split[split].count; i++) {
            float label;
            d->format->read(d, split, d->labels[k], i, &label);
            outside_add(&found, label, range);
        }
    return found;
}

/* ---- Ids ---- */

/* The ids of a split in order. Each is a number: 32 bits that it makes, then 32 of its sample.
 * Where the first are the same, the ids are looked at themselves. */
struct ids {
    struct dataset *d;
    enum split split;
    uint64_t *all; /* [samples] */
};

/* FNV-1a, folded. */
static uint32_t hash_of(const char *id)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 0x100000001b3;
    return (uint32_t)(hash >> 32 ^ hash);
}

static int compare_ids(const struct ids *ids, uint64_t a, uint64_t b)
{
    if (a >> 32 != b >> 32)
        return a < b ? -1 : 1;
    char *one = dataset_text(ids->d, ids->split, RECORD_ID, (uint32_t)a),
         *other = dataset_text(ids->d, ids->split, RECORD_ID, (uint32_t)b);
    int order = strcmp(one, other);
    msa_free(ids->d->m, one);
    msa_free(ids->d->m, other);
    return order;
}

/* Those that are equal stand in the order of their samples. */
static int in_order(const void *a, const void *b, void *ids)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    int order = one == other ? 0 : compare_ids(ids, one, other);
    return order ? order : one < other ? -1 : one > other;
}

struct duplicates dataset_duplicates(struct dataset *d, enum split split)
{
    size_t n = d->split[split].count;
    struct ids ids = {d, split, msa_calloc(d->m, n + 1, sizeof *ids.all)};
    struct duplicates found = {.second = n};
    for (size_t i = 0; i < n; i++) {
        char *id = dataset_text(d, split, RECORD_ID, i);
        ids.all[i] = (uint64_t)hash_of(id) << 32 | i;
        msa_free(d->m, id);
    }
    qsort_r(ids.all, n, sizeof *ids.all, in_order, &ids);
    for (size_t i = 1; i < n; i++) {
        if (compare_ids(&ids, ids.all[i - 1], ids.all[i]) != 0)
            continue;
        found.count++;
        if ((uint32_t)ids.all[i] < found.second) {
            found.first = (uint32_t)ids.all[i - 1];
            found.second = (uint32_t)ids.all[i];
        }
    }
    msa_free(d->m, ids.all);
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
                 dataset_text(d, split, RECORD_ID, same.second));
}

uint32_t dataset_crc(struct dataset *d, enum split split)
{
    uLong crc = crc32(0, NULL, 0);
    for (size_t i = 0; i < d->split[split].count; i++) {
        char *id = dataset_text(d, split, RECORD_ID, i);
        crc = crc32(crc, (const Bytef *)id, (uInt)strlen(id) + 1);
        msa_free(d->m, id);
        for (int k = 0; k < LABELS; k++) {
            float label;
            if (d->labels[k] < 0)
                continue;
            dataset_read(d, split, d->labels[k], i, NON_FINITE_FAIL, &label);
            crc = crc32(crc, (const Bytef *)&label, sizeof label);
        }
    }
    return (uint32_t)crc;
}
