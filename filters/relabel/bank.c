/* The bank. Sums are kept, not computed anew from all samples: of a float32 that is taken off a
 * double and one that is added hardly a bit is lost, and a record costs what its own samples do. */
#include "filters/relabel/bank.h"
#include "common/dataset/tensor_names.h"
#include "common/stream/resume.h"
#include "common/stream/tensor_codec.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t BANK_MOST = (size_t)1 << 27; /* numbers: 512 MB */
static const double LEAST = 1e-8;

void bank_new(struct bank *b, struct msa *m, size_t samples, const size_t *widths)
{
    size_t each = 0;
    *b = (struct bank){.m = m, .samples = samples};
    for (int i = 0; i < KINDS; i++)
        each += widths[i] ? widths[i] + 1 : 0;
    if (samples > BANK_MOST / each)
        msa_fail(m, MSA_FAILED,
                 "%zu numbers for each of %zu training samples: a checkpoint holds %zu", each,
                 samples, BANK_MOST);
    b->known = msa_calloc(m, samples, sizeof *b->known);
    for (int i = 0; i < KINDS; i++) {
        struct kind *k = &b->kinds[i];
        k->width = widths[i];
        k->labels = msa_calloc(m, k->width ? samples : 0, sizeof *k->labels);
        k->features = msa_calloc(m, samples * k->width, sizeof *k->features);
        k->sums = msa_calloc(m, SIDES * k->width, sizeof *k->sums);
        k->centres = msa_calloc(m, SIDES * k->width, sizeof *k->centres);
    }
}

/* --- centres --- */

static enum side side_of(float label)
{
    return label > 0 ? POSITIVE : label < 0 ? NEGATIVE : NEITHER;
}

static void settle_side(struct kind *k, enum side side)
{
    const double *sums = k->sums + side * k->width;
    double *centre = k->centres + side * k->width;
    k->there[side] = k->counts[side] > 0;
    for (size_t i = 0; k->there[side] && i < k->width; i++)
        centre[i] = sums[i] / (double)k->counts[side];
}

void bank_settle(struct bank *b)
{
    for (int i = 0; i < KINDS; i++)
        for (int side = 0; side < SIDES; side++)
            settle_side(&b->kinds[i], (enum side)side);
}

static double distance(const float *feature, const double *centre, size_t width)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++) {
        double d = (double)feature[i] - centre[i];
        sum += d * d;
    }
    return sqrt(sum);
}

double bank_nearer(const struct kind *k, const float *feature)
{
    if (!k->there[POSITIVE] || !k->there[NEGATIVE])
        return NAN;
    double positive = distance(feature, k->centres + POSITIVE * k->width, k->width),
           negative = distance(feature, k->centres + NEGATIVE * k->width, k->width);
    return (negative - positive) / (positive + LEAST);
}

/* --- samples --- */

static void count(struct kind *k, size_t sample, int sign)
{
    enum side side = side_of(k->labels[sample]);
    const float *feature = k->features + sample * k->width;
    if (side == NEITHER)
        return;
    double *sums = k->sums + side * k->width;
    k->counts[side] = sign > 0 ? k->counts[side] + 1 : k->counts[side] - 1;
    for (size_t i = 0; i < k->width; i++)
        sums[i] += sign * (double)feature[i];
}

void bank_put(const struct bank *b, struct kind *k, size_t sample, float label,
              const float *feature)
{
    if (b->known[sample])
        count(k, sample, -1);
    k->labels[sample] = label;
    memcpy(k->features + sample * k->width, feature, k->width * sizeof *feature);
    count(k, sample, 1);
}

/* --- checkpoints --- */

/* "sums_text", and of the joint kind "sums" */
static const char *key_of(char key[TENSOR_NAME + 1], const char *what, int kind)
{
    char label[TENSOR_NAME + 1];
    snprintf(key, TENSOR_NAME + 1, "%s%s", what, name_label(label, kind) + strlen("label"));
    return key;
}

static void save(struct bank *b, struct control *c, value *state, const char *key, enum dtype dtype,
                 const void *data, size_t number)
{
    struct tensor t = tensor_of(key, dtype, data, 1, &number);
    value_set(b->m, c->zone, state, key, value_of_tensor(b->m, c->zone, &t));
}

static void restore(struct bank *b, const value *state, const char *key, enum dtype dtype,
                    void *data, size_t number)
{
    struct tensor t = resume_tensor(b->m, state, key, dtype, (long)number);
    memcpy(data, t.data, number * dtype_size(dtype));
}

void bank_save(struct bank *b, struct control *c, value *state)
{
    char key[TENSOR_NAME + 1];
    save(b, c, state, "known", U1, b->known, b->samples);
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &b->kinds[i];
        if (!k->width)
            continue;
        save(b, c, state, key_of(key, "labels", i), F4, k->labels, b->samples);
        save(b, c, state, key_of(key, "features", i), F4, k->features, b->samples * k->width);
        save(b, c, state, key_of(key, "sums", i), F8, k->sums, SIDES * k->width);
    }
}

void bank_restore(struct bank *b, const value *state)
{
    char key[TENSOR_NAME + 1];
    restore(b, state, "known", U1, b->known, b->samples);
    for (int i = 0; i < KINDS; i++) {
        struct kind *k = &b->kinds[i];
        if (!k->width)
            continue;
        restore(b, state, key_of(key, "labels", i), F4, k->labels, b->samples);
        restore(b, state, key_of(key, "features", i), F4, k->features, b->samples * k->width);
        restore(b, state, key_of(key, "sums", i), F8, k->sums, SIDES * k->width);
        for (size_t n = 0; n < b->samples; n++)
            if (b->known[n] && side_of(k->labels[n]) != NEITHER)
                k->counts[side_of(k->labels[n])]++;
    }
}
