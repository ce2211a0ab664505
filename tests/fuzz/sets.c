/* A data set is read in all the ways there are: checked, described, standardized, and a few samples
 * of each split. */
#include "common/dataset/dataset.h"
#include "common/inspect/info.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

enum { SAMPLES = 3 };

static void read_sample(struct dataset *d, enum split split, size_t i)
{
    for (int tensor = 0; tensor < d->schema.count; tensor++) {
        void *out = msa_alloc(d->m, dataset_bytes(d, tensor));
        dataset_read(d, split, tensor, i, NON_FINITE_ZERO, out);
        msa_free(d->m, out);
    }
    for (int text = 0; text < RECORD_TEXTS; text++)
        msa_free(d->m, dataset_text(d, split, (enum record_text)text, i));
}

/* The first samples and the last. */
static void read_split(struct dataset *d, enum split split)
{
    size_t count = d->split[split].count;
    for (size_t i = 0; i < count && i < SAMPLES; i++)
        read_sample(d, split, i);
    if (count)
        read_sample(d, split, count - 1);
}

static void standardize(struct dataset *d, int tensor)
{
    size_t width = d->schema.entries[tensor].shape[2];
    float *mean = msa_calloc(d->m, width, sizeof *mean);
    float *scale = msa_calloc(d->m, width, sizeof *scale);
    dataset_standardization(d, tensor, NON_FINITE_KEEP, false, mean, scale);
}

static void show(struct dataset *d)
{
    FILE *null = fuzz_null(d->m);
    struct info *info = info_of(d, -1, -1);
    info_text(info, null);
    info_json(info, null);
}

static void read_set(struct msa *m)
{
    struct dataset *d = dataset_open(m, ((struct fuzz *)m)->path, NULL);
    for (int split = 0; split < SPLITS; split++)
        read_split(d, (enum split)split);
    for (int modality = 0; modality < MODALITIES; modality++) {
        int tensor = dataset_find(d, modality_names[modality]);
        if (tensor >= 0 && d->schema.entries[tensor].rank == 3)
            standardize(d, tensor);
    }
    show(d);
    for (int split = 0; split < SPLITS; split++)
        dataset_check(d, (enum split)split);
    dataset_close(d);
}

void fuzz_set(const uint8_t *data, size_t size)
{
    struct fuzz f = {0};
    fuzz_run_file(&f, data, size, read_set);
}
