/* Mean and deviation of each feature of a modality, over the frames of train that count. */
#include "common/dataset/dataset.h"

#include <float.h>
#include <math.h>

/* Of one feature: how many finite values, their mean, and the sum of the squares of their distances
 * from it. */
struct spread {
    double count, mean, squares;
};

static void spread_add(struct spread *s, double number)
{
    double distance = number - s->mean;
    s->count++;
    s->mean += distance / s->count;
    s->squares += distance * (number - s->mean);
}

bool frame_is_padding(const float *frame, size_t width, bool first)
{
    double sum = 0;
    for (size_t f = 0; f < width; f++)
        sum += (double)frame[f];
    return sum == 0 && !first;
}

/* As kernels/cpu/cpu.h sums columns. */
void frames_mean(float *mean, const float *frames, size_t count, size_t width)
{
    enum { COLUMNS = 64, ROWS = 64 };
    for (size_t at = 0; at < width; at += COLUMNS) {
        float total[COLUMNS] = {0};
        size_t n = width - at < COLUMNS ? width - at : COLUMNS;
        for (size_t first = 0; first < count; first += ROWS) {
            float part[COLUMNS] = {0};
            for (size_t r = first; r < count && r < first + ROWS; r++)
                for (size_t j = 0; j < n; j++)
                    part[j] += frames[r * width + at + j];
            for (size_t j = 0; j < n; j++)
                total[j] += part[j];
        }
        for (size_t j = 0; j < n; j++)
            mean[at + j] = total[j] / (float)count;
    }
}

static void spread_add_frame(struct spread *spread, const float *frame, size_t width, bool first)
{
    if (frame_is_padding(frame, width, first))
        return;
    for (size_t f = 0; f < width; f++)
        if (isfinite(frame[f]))
            spread_add(&spread[f], (double)frame[f]);
}

void dataset_standardization(struct dataset *d, int tensor, enum non_finite non_finite,
                             bool averaged, float *mean, float *scale)
{
    const struct schema_entry *e = &d->schema.entries[tensor];
    size_t frames = e->shape[1], width = e->shape[2], zeroed = d->zeroed;
    struct spread *spread = msa_calloc(d->m, width, sizeof *spread);
    float *sample = msa_calloc(d->m, frames * width, sizeof *sample);
    if (d->split[TRAIN].count == 0)
        msa_fail(d->m, MSA_FAILED, "%s: no train split to take means and deviations from", d->path);
    for (size_t i = 0; i < d->split[TRAIN].count; i++) {
        dataset_read(d, TRAIN, tensor, i, non_finite, sample);
        if (averaged)
            frames_mean(sample, sample, frames, width);
        for (size_t t = 0; t < (averaged ? 1 : frames); t++)
            spread_add_frame(spread, sample + t * width, width, t == 0);
    }
    for (size_t f = 0; f < width; f++) {
        float deviation =
            spread[f].count > 0 ? (float)sqrt(spread[f].squares / spread[f].count) : 0;
        mean[f] = (float)spread[f].mean;
        scale[f] = deviation >= FLT_MIN ? 1 / deviation : 1; /* below it 1 / deviation overflows */
    }
    d->zeroed = zeroed; /* they are counted when they are loaded */
    msa_free(d->m, sample);
    msa_free(d->m, spread);
}
