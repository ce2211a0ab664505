/* Predictions, a line for each sample: what msa-metrics writes and, of anyone's, reads. */
#ifndef MSA_PREDICTIONS_H
#define MSA_PREDICTIONS_H

#include "common/metrics/scores.h"
#include "common/run/file.h"
#include <stdio.h>

/* The columns that are always there, tab-separated; the names of all are the keys of JSON too. */
#define PREDICTIONS_HEAD "id\tsplit\tlabel\tprediction\tclass\tprobability"

/* What part of a model says: a tensor that the schema has, [B,width] or [B]. */
struct predictions_part {
    const struct schema_entry *entry;
    size_t width; /* columns */
};

/* Where they go, and what there is to be said of each sample. */
struct predictions {
    struct msa *m;
    struct file *file; /* NULL: standard output, which gets a record's lines at once */
    FILE *to;
    bool json; /* else tab-separated */
    int family;
    const struct schema_entry *logits; /* [B,C]; NULL: none arrive */
    int part_count;
    struct predictions_part parts[RECORD_TENSORS]; /* `u`, then y_* in the order of the schema */
    size_t count;                                  /* of all columns */
    const char **names;                            /* [count] */
    struct cell *cells;                            /* [count]: of the current sample */
};

/* Opens the file, NULL is standard output; tab-separated, writes the line of names. Those that are
 * always there are followed by those of `u`, as its schema says, else u.1, u.2, ..., and by each
 * y_* that is float32 [B]. `family`, an enum family, gives classes their names; -1: not known.
 * Fails the run with MSA_CORRUPT where `logits` or `u` are not float32 of rank 2, and where a
 * column of `u` is called as another one. Owned by the run. */
struct predictions *predictions_create(struct msa *m, const char *path, bool json,
                                       const struct header *h, int family);
/* A line for each sample of the record that was last added to the split; 9 significant digits. What
 * does not arrive, or is not defined, is empty, or no key of the object. */
void predictions_write(const struct predictions *x, const struct scores *s,
                       const struct scores_split *p, const struct record *r);
void predictions_close(struct predictions *x);

/* Adds the columns `label` and `prediction`, both of which may be nan or inf, of a file, by `split`
 * where there is such a column.
 * Fails the run with MSA_CORRUPT and a line that names file, line and column. */
void predictions_read(struct scores *s, const char *path);

#endif
