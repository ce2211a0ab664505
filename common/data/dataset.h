/* A data set in MMSA's layout (msa-model(7), Data), whatever file it came from. */
#ifndef MSA_DATASET_H
#define MSA_DATASET_H

#include "common/cli/msa.h"

enum modality { TEXT, VISION, AUDIO, MODALITIES };   /* the order T V A everywhere */
extern const char *const modality_names[MODALITIES]; /* "text" "vision" "audio" */
extern const char modality_letters[MODALITIES];      /* 'T' 'V' 'A' */

enum family { FAMILY_SIMS, FAMILY_MOSI };
extern const char *const family_names[]; /* "sims" "mosi" */
double family_range(enum family family); /* R: 1, 3 */

enum split { TRAIN, VALID, TEST, SPLITS };
extern const char *const split_names[SPLITS]; /* "train" "valid" "test" */

enum non_finite { NON_FINITE_ZERO, NON_FINITE_KEEP, NON_FINITE_FAIL };

/* Labels: the joint one and each modality's. */
enum { LABEL_JOINT = MODALITIES, LABELS };
extern const char *const label_keys[LABELS]; /* "regression_labels_T" … "regression_labels" */

struct dataset_split {
    size_t count;                     /* samples; 0: the split is not there */
    const void *features[MODALITIES]; /* opaque; NULL: the modality is not there */
    const void *text_bert;            /* opaque or NULL */
    const void *labels[LABELS];       /* opaque or NULL */
    const void *id;                   /* opaque or NULL */
};

struct dataset {
    struct msa *m;
    const char *path;
    bool labelled;      /* has joint labels */
    enum family family; /* sims when there are unimodal labels, else mosi */
    size_t frames[MODALITIES], width[MODALITIES]; /* L and F of [N,L,F]; 0: not there */
    size_t tokens;                                /* L of text_bert [N,3,L]; 0: not there */
    struct dataset_split split[SPLITS];
    size_t zeroed; /* non-finite values set to 0 so far (audio's -inf not counted) */
    void *source;  /* the open file */
};

/* Opens a pickle: a dict of splits, or a flat single-sample file ([L,F] arrays), which becomes a
 * `test` split of one. [N,F] arrays count as one frame. Checks that the keys of a split agree in
 * length and the splits in shape. Fails the run with MSA_CORRUPT: "PATH: train: 'audio' has 1367
 * samples but expected 1368, as 'text' has". */
struct dataset *dataset_open(struct msa *m, const char *path);
void dataset_close(struct dataset *d);

/* Features of sample i of a split, float32, out[frames*width]: -inf in audio becomes 0; other
 * non-finite values as `non_finite` says (zeroed ones are counted in d->zeroed; FAIL names split,
 * sample, key and frame). */
void dataset_features(struct dataset *d, enum split split, enum modality modality, size_t i,
                      enum non_finite non_finite, float *out);
/* text_bert of sample i, out[3*tokens]; [N,L,3] files are transposed. */
void dataset_text_bert(struct dataset *d, enum split split, size_t i, int64_t *out);
/* A label of sample i. */
float dataset_label(struct dataset *d, enum split split, int label, size_t i);
/* The id of sample i; "SPLIT/i" where the set has none. Owned by the run; msa_free it. */
char *dataset_id(struct dataset *d, enum split split, size_t i);

/* Mean and 1/deviation (1 where there is no deviation) per feature over the frames of train that
 * are not padding, mean[width] and scale[width]. Padding as in msa-model(7), Data. The deviation is
 * the population's. */
void dataset_standardization(struct dataset *d, enum modality modality, enum non_finite non_finite,
                             float *mean, float *scale);

#endif
