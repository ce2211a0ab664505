/* Fuzzes pickles: as a data set, of which a few samples of each split are read. */
#include "common/data/dataset.h"
#include "tests/fuzz/fuzz.h"

enum { SAMPLES = 3 };

static void read_sample(struct dataset *d, enum split at, size_t i)
{
    const struct dataset_split *split = &d->split[at];
    for (int modality = 0; modality < MODALITIES; modality++) {
        if (!split->features[modality])
            continue;
        float *out = msa_calloc(d->m, d->frames[modality] * d->width[modality], sizeof *out);
        dataset_features(d, at, (enum modality)modality, i, NON_FINITE_ZERO, out);
        msa_free(d->m, out);
    }
    if (split->text_bert) {
        int64_t *out = msa_calloc(d->m, 3 * d->tokens, sizeof *out);
        dataset_text_bert(d, at, i, out);
        msa_free(d->m, out);
    }
    msa_free(d->m, dataset_id(d, at, i));
    for (int label = 0; label < LABELS; label++)
        if (split->labels[label])
            dataset_label(d, at, label, i);
}

/* The first samples and the last. */
static void read_split(struct dataset *d, enum split at)
{
    size_t count = d->split[at].count;
    for (size_t i = 0; i < count && i < SAMPLES; i++)
        read_sample(d, at, i);
    if (count)
        read_sample(d, at, count - 1);
}

static void standardize(struct dataset *d, enum modality modality)
{
    float *mean = msa_calloc(d->m, d->width[modality], sizeof *mean);
    float *scale = msa_calloc(d->m, d->width[modality], sizeof *scale);
    dataset_standardization(d, modality, NON_FINITE_KEEP, mean, scale);
}

static void read_set(struct msa *m)
{
    struct dataset *d = dataset_open(m, ((struct fuzz *)m)->path);
    for (int at = 0; at < SPLITS; at++)
        read_split(d, (enum split)at);
    for (int modality = 0; modality < MODALITIES; modality++)
        if (d->split[TRAIN].features[modality])
            standardize(d, (enum modality)modality);
    dataset_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {0};
    fuzz_run_file(&f, data, size, read_set);
    return 0;
}
