/* Predictions as tab-separated columns: what msa-metrics writes and, of anyone's, reads. */
#ifndef MSA_PREDICTIONS_H
#define MSA_PREDICTIONS_H

#include "common/cli/file.h"
#include "common/data/scores.h"

/* Opens the file and writes the line of names: id, split, label, prediction. */
struct file *predictions_create(struct msa *m, const char *path);
/* A line for each sample of the record that was last added to the split; 9 significant digits; the
 * label is empty where none comes. */
void predictions_write(struct msa *m, struct file *file, const struct scores *s,
                       const struct scores_split *p, const struct record *r);
/* Adds the columns `label` and `prediction` of a file, by `split` where there is such a column.
 * Fails the run with MSA_CORRUPT and a line that names file, line and column. */
void predictions_read(struct scores *s, const char *path);

#endif
