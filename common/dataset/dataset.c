/* What data sets of all formats share: opening, families, samples. */
#include "common/dataset/dataset.h"
#include "common/dataset/tensor_names.h"
#include "common/run/content.h"
#include "common/run/file.h"
#include "common/stream/stats.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const modality_names[MODALITIES] = {"text", "vision", "audio"};
const char *const length_names[MODALITIES] = {"text_lengths", "vision_lengths", "audio_lengths"};
const char *const mmsa_names[MODALITIES] = {"text", "video", "audio"};
const char modality_letters[MODALITIES] = {'T', 'V', 'A'};
const char *const family_names[FAMILIES] = {"sims", "mosi"};
const char *const split_names[SPLITS] = {"train", "valid", "test"};
const char *const label_keys[LABELS] = {"regression_labels_T", "regression_labels_V",
                                        "regression_labels_A", "regression_labels"};

/* ---- Families ---- */

double family_range(enum family family)
{
    return family == FAMILY_SIMS ? 1 : 3;
}

enum family family_named(struct msa *m, const char *name)
{
    if (!name[0])
        msa_fail(m, MSA_FAILED, "the stream names no family (msa-load --family sims|mosi)");
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(name, family_names[i]) == 0)
            return (enum family)i;
    msa_fail(m, MSA_FAILED, "the stream names family '%s', which is neither sims nor mosi", name);
}

size_t dataset_largest(const struct dataset *d)
{
    size_t most = 0;
    for (int i = 0; i < SPLITS; i++)
        most = d->split[i].count > most ? d->split[i].count : most;
    return most;
}

const char *dataset_splits(const struct dataset *d, const char *before, char text[SPLITS_TEXT])
{
    text[0] = '\0';
    for (int i = 0; i < SPLITS; i++)
        if (d->split[i].count)
            snprintf(text + strlen(text), SPLITS_TEXT - strlen(text), "%s%s",
                     text[0] ? ", " : before, split_names[i]);
    return text;
}

void dataset_warn_of_zeroed(struct dataset *d)
{
    if (d->zeroed)
        msa_warn(d->m, "%s: %zu values were not finite and became 0", d->path, d->zeroed);
    d->zeroed = 0;
}

int dataset_family(const struct dataset *d)
{
    if (d->header->family[0])
        return family_named(d->m, d->header->family);
    if (d->labels[TEXT] >= 0 || d->labels[VISION] >= 0 || d->labels[AUDIO] >= 0)
        return FAMILY_SIMS;
    return d->labels[LABEL_JOINT] >= 0 ? FAMILY_MOSI : -1;
}

/* ---- Opening ---- */

/* A stream shows in its first byte, inflated where it is gzipped; all else is for the reader of
 * pickles to judge. */
static const struct dataset_format *format_of(struct msa *m, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    int *held = file_hold(m, fd);
    uint8_t first = 0;
    mapping_close(m, mapping_of(m, path)); /* it can be */
    content_start(m, fd, path, &first, 1);
    msa_free(m, held);
    return first == 0xd8 ? &dataset_stream : &dataset_pickle;
}

struct dataset *dataset_open(struct msa *m, const char *path, struct naming *naming)
{
    struct dataset *d = msa_alloc(m, sizeof *d);
    char name[TENSOR_NAME + 1];
    d->m = m;
    d->path = path;
    if (stat(path, &d->file) != 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    d->naming = naming ? naming : naming_new(m);
    d->format = format_of(m, path);
    d->format->open(d);
    for (int i = 0; i < LABELS; i++) {
        schema_floats(m, &d->schema, name_label(name, i), 1);
        d->labels[i] = dataset_find(d, name);
    }
    return d;
}

void dataset_close(struct dataset *d)
{
    d->format->close(d);
    msa_free(d->m, d);
}

/* ---- Tensors ---- */

int dataset_find(const struct dataset *d, const char *name)
{
    const struct schema_entry *e = schema_find(&d->schema, name);
    return e ? (int)(e - d->schema.entries) : -1;
}

size_t dataset_elements(const struct dataset *d, int tensor)
{
    const struct schema_entry *e = &d->schema.entries[tensor];
    size_t elements = 1;
    for (int i = 1; i < e->rank; i++)
        elements *= e->shape[i];
    return elements;
}

size_t dataset_bytes(const struct dataset *d, int tensor)
{
    return dataset_elements(d, tensor) * dtype_size(d->schema.entries[tensor].dtype);
}

bool dataset_is_label(const struct dataset *d, int tensor)
{
    for (int i = 0; i < LABELS; i++)
        if (d->labels[i] == tensor)
            return true;
    return false;
}

/* ---- Samples ---- */

static _Noreturn void not_finite(const struct dataset *d, enum split split, int tensor, size_t i,
                                 size_t at, double number)
{
    const struct schema_entry *e = &d->schema.entries[tensor];
    char place[64] = "";
    if (e->rank == 3)
        snprintf(place, sizeof place, ", frame %zu, feature %zu", at / e->shape[2],
                 at % e->shape[2]);
    else if (e->rank > 1)
        snprintf(place, sizeof place, ", element %zu", at);
    msa_fail(d->m, MSA_CORRUPT, "%s: %s: sample %zu, '%s'%s: %g but expected a finite number",
             d->path, split_names[split], i, d->keys[tensor], place, number);
}

/* Element `at` of floating-point numbers. */
static inline double real_at(enum dtype dtype, const uint8_t *numbers, size_t at)
{
    _Float16 f2;
    float f4;
    double f8;
    switch (dtype) {
    case F2:
        memcpy(&f2, numbers + at * sizeof f2, sizeof f2);
        return (double)f2;
    case F4:
        memcpy(&f4, numbers + at * sizeof f4, sizeof f4);
        return (double)f4;
    default:
        memcpy(&f8, numbers + at * sizeof f8, sizeof f8);
        return f8;
    }
}

void dataset_read(struct dataset *d, enum split split, int tensor, size_t i,
                  enum non_finite non_finite, void *out)
{
    const struct schema_entry *e = &d->schema.entries[tensor];
    size_t n = dataset_elements(d, tensor), size = dtype_size(e->dtype);
    bool label = dataset_is_label(d, tensor), audio = strcmp(e->name, modality_names[AUDIO]) == 0;
    if (i >= d->split[split].count)
        msa_fail(d->m, MSA_FAILED, "%s: %s: there is no sample %zu", d->path, split_names[split],
                 i);
    d->format->read(d, split, tensor, i, out);
    if (dtype_whole(e->dtype))
        return;
    for (size_t at = 0; at < n; at++) {
        double number = real_at(e->dtype, out, at);
        if (isfinite(number))
            continue;
        bool usual = audio && number < 0;
        if (label || (non_finite == NON_FINITE_FAIL && !usual))
            not_finite(d, split, tensor, i, at, number);
        if (non_finite == NON_FINITE_KEEP && !usual)
            continue;
        memset((uint8_t *)out + at * size, 0, size);
        d->zeroed += !usual;
    }
}

char *dataset_text(struct dataset *d, enum split split, enum record_text text, size_t i)
{
    char *found = d->format->text(d, split, text, i);
    return found || text != RECORD_ID ? found : msa_format(d->m, "%s/%zu", split_names[split], i);
}
