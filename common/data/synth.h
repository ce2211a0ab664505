/* Samples with planted sentiment: one hidden number a modality, which a few frames of that modality
 * show in noise and from which the labels follow (man/msa-synth.1). Every number is drawn by its
 * place, so samples come in any order and nothing but the directions is kept. */
#ifndef MSA_SYNTH_H
#define MSA_SYNTH_H

#include "common/data/dataset.h"

struct synth {
    enum family family;
    uint64_t seed;
    double noise;         /* deviation of the frames' noise */
    size_t count[SPLITS]; /* samples */
    size_t frames[MODALITIES], width[MODALITIES];
    double *direction[MODALITIES]; /* width[] numbers, of length 1 (synth_prepare) */
};

/* Draws the directions, which belong to the run; the other fields have been set. */
void synth_prepare(struct msa *m, struct synth *s);
/* The labels of sample i: those of T, V and A, then the joint one, on the family's grid. */
void synth_labels(const struct synth *s, enum split split, size_t i, double labels[LABELS]);
/* Its frames that are not padding. */
size_t synth_length(const struct synth *s, enum split split, enum modality modality, size_t i);
/* Its frames, out[frames*width], zeros behind its length. */
void synth_frames(const struct synth *s, enum split split, enum modality modality, size_t i,
                  double *out);

#endif
