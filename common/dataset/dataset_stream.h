/* What the parts of a kept stream share: dataset_stream.c (the file, its header, its tensors),
 * dataset_stream_index.c (where its samples are), dataset_stream_read.c (samples). */
#ifndef MSA_DATASET_STREAM_H
#define MSA_DATASET_STREAM_H

#include "common/dataset/dataset.h"
#include "common/run/temp_file.h"

/* Where a text of a sample is in the map; none: 0, for a body begins with its map. */
struct text_place {
    size_t at;
    uint32_t length;
};

/* Of a split: its records, each a row of its first sample and the place of each tensor's first
 * element; and the texts. */
struct index {
    size_t *rows; /* [count][1 + tensors] */
    size_t count, room;
    struct text_place *texts[RECORD_TEXTS]; /* [samples]; NULL: no record has any */
    size_t texts_room[RECORD_TEXTS];
    const char *named; /* what the file calls the split; NULL: not met yet */
};

struct stream_set {
    struct mapping map;
    struct spool *spool; /* NULL: the map is the file's */
    struct index splits[SPLITS];
};

static inline struct stream_set *stream_set_of(const struct dataset *d)
{
    return d->own;
}

/* Takes a record that has samples and the tensors of the schema into the index of its split. Fails
 * the run where the split is none, or only some records of it have a text. */
void stream_set_index(struct dataset *d, const struct record *r);

/* dataset_format's. */
void stream_set_read(struct dataset *d, enum split split, int tensor, size_t i, void *out);
char *stream_set_text(struct dataset *d, enum split split, enum record_text which, size_t i);

#endif
