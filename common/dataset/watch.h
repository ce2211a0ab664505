/* What a training reads of its data set, compared with what it has read before: the file may be
 * replaced or changed in mid-training, or before a training is resumed.
 *
 * Each row of the train split that is taken, and of the valid split, has a CRC-32 of what records
 * have of it. Nothing is read for these: they come as the rows of the first epoch go by. Where a
 * checkpoint comes before that, 64 KiB at 64 places of the file stand for them. */
#ifndef MSA_WATCH_H
#define MSA_WATCH_H

#include "common/dataset/batch.h"
#include "common/dataset/sampler.h"

struct watch;

/* Of the rows that the order takes and those of valid, as this batcher reads them; both must
 * outlive it, and b->crcs is its. */
struct watch *watch_new(struct batcher *b, const struct order *order);
/* batcher_fill, of rows that are seen for the first time or are as they were. Fails the run where
 * one has changed: "PATH was changed while it was being trained on: train, sample 17 ('id') is not
 * what it was". */
void watch_fill(struct watch *w, struct record *r, enum split split, const uint32_t *index,
                size_t count);
/* Looks at the file's size, times and inode. Where one has changed what is known of it
 * is read anew, and fails the run where that is not the same: "PATH was changed while it was being
 * trained on: …". */
void watch_look(struct watch *w);

uint64_t watch_bytes(const struct watch *w); /* the file's size, when it was looked at last */
/* Of all rows in the order of the data set; those that have not been seen are read. */
uint32_t watch_rows(struct watch *w);
/* Of the places, and the file's size; they are read once. */
uint32_t watch_places(struct watch *w);

#endif
