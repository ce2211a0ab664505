/* What msa-relabel keeps of every training sample: its labels, its features, and of these the means
 * of positive and of negative samples (msa-model(7), Pseudo-labels). */
#ifndef MSA_RELABEL_BANK_H
#define MSA_RELABEL_BANK_H

#include "common/dataset/dataset.h"
#include "common/stream/control.h"

/* Kinds of labels, and of features: those of a modality by itself, and the joint ones. */
enum { KINDS = LABELS };
enum side { POSITIVE, NEGATIVE, SIDES, NEITHER = SIDES };

struct kind {
    size_t width;    /* of a feature; 0: there is no such kind */
    float *labels;   /* [samples] */
    float *features; /* [samples,width] */
    double *sums;    /* [SIDES,width], of the features of each side */
    size_t counts[SIDES];
    double *centres;   /* [SIDES,width]: the means as bank_settle has found them */
    bool there[SIDES]; /* has a side one? */
};

struct bank {
    struct msa *m;
    size_t samples;
    uint8_t *known; /* [samples]: has been put there */
    struct kind kinds[KINDS];
};

/* An empty one; widths[KINDS]. Fails the run with MSA_FAILED where it would be too large to go into
 * a checkpoint. */
void bank_new(struct bank *b, struct msa *m, size_t samples, const size_t *widths);

/* From now on centres are the means of what is there now. */
void bank_settle(struct bank *b);
/* How much nearer to the positive centre a feature is than to the negative one: (|f - c-| - |f -
 * c+|) / (|f - c+| + 1e-8); NaN: a centre is missing. */
double bank_nearer(const struct kind *k, const float *feature);
/* Puts a sample's label and feature [width] there, in place of what it had. */
void bank_put(const struct bank *b, struct kind *k, size_t sample, float label,
              const float *feature);

/* All of it in a stage's state, and from there. A state of other sizes fails the run with
 * MSA_CORRUPT. */
void bank_save(struct bank *b, struct control *c, value *state);
void bank_restore(struct bank *b, const value *state);

#endif
