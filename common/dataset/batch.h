/* Samples of a data set as records: which tensors there are, and a batch of them at a time. */
#ifndef MSA_BATCH_H
#define MSA_BATCH_H

#include "common/dataset/dataset.h"

/* Makes records from a data set; its memory is one batch, whatever the size of the set. */
struct batcher {
    struct msa *m;
    struct dataset *data;
    bool dropped[RECORD_TENSORS]; /* left out, by the place in the data set's schema */
    bool dropped_texts[RECORD_TEXTS];
    bool averaged[RECORD_TENSORS]; /* frames that come as their mean; their lengths, which are 1 */
    enum non_finite non_finite;
    int label;                    /* whose numbers `label` has: its place in the schema */
    size_t size;                  /* samples a batch */
    void *memory[RECORD_TENSORS]; /* of one tensor each, for `size` samples */
    int64_t *positions;           /* `index`, for `size` samples */
    uint32_t *crcs; /* [size], of what the last record has of each sample; NULL: not computed */
};

/* Drops the tensors and texts of these modalities (name_modality). A record has at most `size`
 * samples, or as many as the largest split, each with group - 1 others. */
struct batcher batcher_new(struct msa *m, struct dataset *data, const bool dropped[MODALITIES],
                           enum non_finite non_finite, size_t size, size_t group);
/* Gives records the mean of this modality's frames [B,1,F] in place of these, and 1 as its lengths.
 * Nothing where the set has none; fails the run with MSA_CORRUPT where they are not float32
 * [B,L,F]. */
void batcher_average(struct batcher *b, enum modality modality);
/* Gives records this modality's label as `label`; false: the set has none, and all is as before. */
bool batcher_relabel(struct batcher *b, enum modality modality);
/* The tensors that a record has; a header's schema. */
void batcher_schema(const struct batcher *b, struct schema *schema);
/* Is there anything but labels in a record? */
bool batcher_has_features(const struct batcher *b);
/* For a header: samples of each split that the data set has, whether they come or not. */
value batcher_samples(struct batcher *b, msgpack_zone *zone);
/* For a header: mean and scale of each feature over the records of train (dataset_standardization),
 * by modality. The numbers are the run's. */
value batcher_standardization(struct batcher *b, msgpack_zone *zone);
/* A record of `count` samples, at most `size`, of a split; index[count], which it has as `index`.
 * Its tensors are the batcher's until the next. */
void batcher_fill(struct batcher *b, struct record *r, enum split split, const uint32_t *index,
                  size_t count);

#endif
