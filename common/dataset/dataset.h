/* A data set: samples in splits, each sample with the same tensors, whatever file they come from:
 * a pickle in MMSA's layout, or a stream that a stage wrote (msa-load(1)). dataset_check.c finds
 * what of it cannot be trained on, standardization.c its mean and deviation. */
#ifndef MSA_DATASET_H
#define MSA_DATASET_H

#include "common/dataset/naming.h"
#include "common/stream/record.h"
#include <sys/stat.h>

enum modality { TEXT, VISION, AUDIO, MODALITIES };   /* the order T V A everywhere */
extern const char *const modality_names[MODALITIES]; /* "text" "vision" "audio" */
#define MODALITY_KEYS "text|vision|audio"            /* of an option with a value for each */
extern const char *const length_names[MODALITIES];   /* "text_lengths" … */
extern const char *const mmsa_names[MODALITIES];     /* in its parameters: "text" "video" "audio" */
extern const char modality_letters[MODALITIES];      /* 'T' 'V' 'A' */

enum family { FAMILY_SIMS, FAMILY_MOSI, FAMILIES };
extern const char *const family_names[FAMILIES]; /* "sims" "mosi" */
double family_range(enum family family);         /* R: 1, 3 */
/* The family that a header names. Fails the run with MSA_FAILED where it names none, or another. */
enum family family_named(struct msa *m, const char *name);

enum split { TRAIN, VALID, TEST, SPLITS };
extern const char *const split_names[SPLITS]; /* "train" "valid" "test" */

enum non_finite { NON_FINITE_ZERO, NON_FINITE_KEEP, NON_FINITE_FAIL };

/* Labels: the joint one and each modality's. */
enum { LABEL_JOINT = MODALITIES, LABELS };
extern const char *const label_keys[LABELS]; /* "regression_labels_T" … "regression_labels" */

struct dataset_format;

struct dataset_split {
    size_t count; /* samples; 0: the split is not there */
};

struct dataset {
    struct msa *m;
    const char *path;
    struct stat file; /* at `path`, just before it was opened */
    const struct dataset_format *format;
    void *own;                        /* the format's: the open file */
    struct naming *naming;            /* what it has under other names */
    struct schema schema;             /* the tensors of a sample; dimension 0 is the sample's */
    const char *keys[RECORD_TENSORS]; /* what the file calls them */
    int labels[LABELS];               /* their places in the schema; -1: not there */
    struct header *header; /* a kept stream's, less its schema; of a pickle one that is empty */
    struct dataset_split split[SPLITS];
    size_t zeroed; /* non-finite values set to 0 so far (audio's -inf not counted) */
};

/* Called for something that a split of the file has: its name there, its dtype ("<f4", "list"), its
 * shape with the samples, and what it is in a record (NULL: it is not loaded), which outlives the
 * call. */
typedef void dataset_key_fn(void *closure, const char *key, const char *dtype, int rank,
                            const size_t *shape, const char *becomes);

/* A kind of file. Its functions fail the run, with MSA_CORRUPT where the file is wrong. */
struct dataset_format {
    const char *name;      /* "pickle" */
    const char *label_key; /* what it calls the joint label */
    /* Opens d->path, checks it, and fills in the schema, the keys, the header and the splits. */
    void (*open)(struct dataset *d);
    /* A tensor of sample i, as the schema says; the numbers are those of the file. */
    void (*read)(struct dataset *d, enum split split, int tensor, size_t i, void *out);
    /* A text of sample i, NULL: there is none. All samples of a split have a raw_text, or none. */
    char *(*text)(struct dataset *d, enum split split, enum record_text text, size_t i);
    /* Warns of what may hold features, or samples, and is not read for its name. */
    void (*warn)(struct dataset *d);
    /* What may be done about that, for the end of an error: " (msa-load --rename val=valid)"; ""
     * where no name is likely. `where`: the names that would help. Owned by the run. */
    const char *(*remedy)(struct dataset *d, int where);
    void (*describe)(struct dataset *d, enum split split, dataset_key_fn *tell, void *closure);
    void (*close)(struct dataset *d);
};
extern const struct dataset_format dataset_pickle, dataset_stream;

/* Opens a data set, gzipped or not: a stream where it begins as one, else a pickle. Fails the run:
 * "PATH: train: 'audio' has 1367 samples but expected 1368, as 'text' has". `naming`
 * (NULL: nothing is renamed) must outlive the data set. Names that are neither known nor renamed
 * are warned of by the format's `warn` alone. */
struct dataset *dataset_open(struct msa *m, const char *path, struct naming *naming);
void dataset_close(struct dataset *d);

int dataset_find(const struct dataset *d, const char *name);  /* -1: no such tensor */
size_t dataset_elements(const struct dataset *d, int tensor); /* of one sample */
size_t dataset_bytes(const struct dataset *d, int tensor);    /* of one sample */
bool dataset_is_label(const struct dataset *d, int tensor);
size_t dataset_largest(const struct dataset *d); /* samples of its largest split */
/* The splits that have samples, behind `before`: ", only in train, test"; "" where none has.
 * Returns text. */
enum { SPLITS_TEXT = 64 };
const char *dataset_splits(const struct dataset *d, const char *before, char text[SPLITS_TEXT]);
/* A line on stderr where values became 0, once for those so far. */
void dataset_warn_of_zeroed(struct dataset *d);
/* By the header, else by the labels; -1: nothing tells. */
int dataset_family(const struct dataset *d);

/* A tensor of sample i. Where its dtype is floating-point: -inf in `audio` becomes 0; other
 * non-finite values as `non_finite` says (zeroed ones are counted in d->zeroed; FAIL names split,
 * sample, key and place). A label that is not finite fails the run always. */
void dataset_read(struct dataset *d, enum split split, int tensor, size_t i,
                  enum non_finite non_finite, void *out);
/* The id of sample i ("SPLIT/i" where the set has none), or what was said (NULL where the split has
 * none). Owned by the run; msa_free it. */
char *dataset_text(struct dataset *d, enum split split, enum record_text text, size_t i);

/* Fails the run where a split that is to be used has a label that is not finite, or two samples of
 * one id. */
void dataset_check(struct dataset *d, enum split split);
/* CRC-32 of the ids and labels of a split, in order: another set is seldom mistaken for it. */
uint32_t dataset_crc(struct dataset *d, enum split split);
/* Finite labels beyond -range and range, in a split, joint ones and those of modalities, and that
 * which is farthest from 0. */
struct outside {
    size_t count;
    double farthest;
};
struct outside dataset_outside(struct dataset *d, enum split split, double range);
/* Adds a label, if it is such. */
void outside_add(struct outside *o, float label, double range);
/* All of two. */
struct outside outside_both(struct outside a, struct outside b);
/* Warns where there are any, and says what may be done. `from`: the file. */
void outside_warn(const struct outside *o, struct msa *m, const char *from, enum family family);
/* Samples whose id is that of one before them: how many, and a pair. */
struct duplicates {
    size_t count, first, second;
};
struct duplicates dataset_duplicates(struct dataset *d, enum split split);

/* Is a frame of features padding? Frame 0 never is; others are when their features sum to exactly
 * 0, in double and in order (msa-model(7), Data). */
bool frame_is_padding(const float *frame, size_t width, bool first);
/* mean[width] of all frames[count,width], padding or not, in an order that gives the bytes of the
 * CPU's op_mean; it may be where the first frame is. */
void frames_mean(float *mean, const float *frames, size_t count, size_t width);
/* Mean and 1/deviation per feature of a tensor [*,L,F] over the frames of train that are not
 * padding, or with `averaged` over the samples' means (frames_mean): mean[F] and scale[F]. The
 * deviation is the population's; where it is 0, or below the smallest normal float, scale is 1. */
void dataset_standardization(struct dataset *d, int tensor, enum non_finite non_finite,
                             bool averaged, float *mean, float *scale);

#endif
