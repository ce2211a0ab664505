/* Samples of an open data set, converted one at a time. */
#include "common/data/dataset.h"
#include "common/data/pickle.h"

#include <math.h>
#include <string.h>

/* Features and text_bert have been checked to be arrays when the set was opened; other values may
 * be lists. */
static const struct pickle_array *array_of(const void *value)
{
    return ((const struct pickle_value *)value)->array;
}

static void check_sample(struct dataset *d, enum split split, const void *value, size_t i)
{
    if (!value || i >= d->split[split].count)
        msa_fail(d->m, MSA_FAILED, "%s: %s: sample %zu does not have what is asked for", d->path,
                 split_names[split], i);
}

static _Noreturn void not_finite(struct dataset *d, enum split split, enum modality modality,
                                 size_t i, size_t at, float value)
{
    msa_fail(d->m, MSA_CORRUPT,
             "%s: %s: sample %zu, '%s', frame %zu, feature %zu: %g but expected a finite number",
             d->path, split_names[split], i, modality_names[modality], at / d->width[modality],
             at % d->width[modality], (double)value);
}

void dataset_features(struct dataset *d, enum split split, enum modality modality, size_t i,
                      enum non_finite non_finite, float *out)
{
    size_t n = d->frames[modality] * d->width[modality];
    check_sample(d, split, d->split[split].features[modality], i);
    pickle_numbers(d->source, array_of(d->split[split].features[modality]), i * n, n, out);
    for (size_t at = 0; at < n; at++) {
        if (isfinite(out[at]))
            continue;
        if (modality == AUDIO && out[at] < 0) {
            out[at] = 0;
        } else if (non_finite == NON_FINITE_FAIL) {
            not_finite(d, split, modality, i, at, out[at]);
        } else if (non_finite == NON_FINITE_ZERO) {
            out[at] = 0;
            d->zeroed++;
        }
    }
}

void dataset_text_bert(struct dataset *d, enum split split, size_t i, int64_t *out)
{
    check_sample(d, split, d->split[split].text_bert, i);
    const struct pickle_array *a = array_of(d->split[split].text_bert);
    size_t n = 3 * d->tokens;
    if (a->shape[a->rank - 2] == 3) {
        pickle_integers(d->source, a, i * n, n, out);
        return;
    }
    for (size_t token = 0; token < d->tokens; token++) {
        int64_t row[3];
        pickle_integers(d->source, a, i * n + 3 * token, 3, row);
        for (size_t k = 0; k < 3; k++)
            out[k * d->tokens + token] = row[k];
    }
}

/* Item i of a list, or of an array of objects; the value itself when it is neither. */
static const struct pickle_value *element(const struct pickle_value *v, size_t i)
{
    if (v->kind == PICKLE_ARRAY)
        return v->array->kind == 'O' ? &v->array->objects[i] : NULL;
    return v->kind == PICKLE_LIST ? v->items[i] : v;
}

float dataset_label(struct dataset *d, enum split split, int label, size_t i)
{
    const struct pickle_value *v = d->split[split].labels[label];
    check_sample(d, split, v, i);
    const struct pickle_value *number = element(v, i);
    float value = NAN;
    if (!number)
        pickle_numbers(d->source, v->array, i, 1, &value);
    else if (number->kind == PICKLE_REAL)
        value = (float)number->real;
    else if (number->kind == PICKLE_INT || number->kind == PICKLE_BOOL)
        value = (float)number->integer;
    if (!isfinite(value))
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: sample %zu, '%s': no finite number", d->path,
                 split_names[split], i, label_keys[label]);
    return value;
}

char *dataset_id(struct dataset *d, enum split split, size_t i)
{
    const struct pickle_value *v = d->split[split].id;
    if (!v)
        return msa_format(d->m, "%s/%zu", split_names[split], i);
    check_sample(d, split, v, i);
    const struct pickle_value *text = element(v, i);
    if (text)
        return pickle_text(d->source, text);
    if (!strchr("iu", v->array->kind))
        return pickle_string(d->source, v->array, i);
    int64_t number;
    pickle_integers(d->source, v->array, i, 1, &number);
    return msa_format(d->m, "%lld", (long long)number);
}

/* ---- Standardization ---- */

/* Of one feature: how many finite values, their mean, and the sum of the squares of their distances
 * from it. */
struct spread {
    double count, mean, squares;
};

static void spread_add(struct spread *s, double value)
{
    double distance = value - s->mean;
    s->count++;
    s->mean += distance / s->count;
    s->squares += distance * (value - s->mean);
}

/* Adds a frame, unless it is padding: its features sum to exactly 0, in double and in order, and it
 * is not the first. */
static void spread_add_frame(struct spread *spread, const float *frame, size_t width, bool first)
{
    double sum = 0;
    for (size_t f = 0; f < width; f++)
        sum += (double)frame[f];
    if (sum == 0 && !first)
        return;
    for (size_t f = 0; f < width; f++)
        if (isfinite(frame[f]))
            spread_add(&spread[f], (double)frame[f]);
}

void dataset_standardization(struct dataset *d, enum modality modality, enum non_finite non_finite,
                             float *mean, float *scale)
{
    size_t width = d->width[modality], frames = d->frames[modality], zeroed = d->zeroed;
    struct spread *spread = msa_calloc(d->m, width, sizeof *spread);
    float *sample = msa_calloc(d->m, frames * width, sizeof *sample);
    if (d->split[TRAIN].count == 0)
        msa_fail(d->m, MSA_FAILED, "%s: no train split to take means and deviations from", d->path);
    for (size_t i = 0; i < d->split[TRAIN].count; i++) {
        dataset_features(d, TRAIN, modality, i, non_finite, sample);
        for (size_t t = 0; t < frames; t++)
            spread_add_frame(spread, sample + t * width, width, t == 0);
    }
    for (size_t f = 0; f < width; f++) {
        float deviation =
            spread[f].count > 0 ? (float)sqrt(spread[f].squares / spread[f].count) : 0;
        mean[f] = (float)spread[f].mean;
        scale[f] = deviation > 0 ? 1 / deviation : 1;
    }
    d->zeroed = zeroed; /* they are counted when they are loaded */
    msa_free(d->m, sample);
    msa_free(d->m, spread);
}
