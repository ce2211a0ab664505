/* What dataset.c and dataset_read.c share: where the values of a data set are in its pickle. */
#ifndef MSA_DATASET_SOURCE_H
#define MSA_DATASET_SOURCE_H

#include "common/data/dataset.h"
#include "common/data/pickle.h"

/* The opaque pointers of struct dataset_split are struct pickle_value; `source` is the struct
 * pickle. Features and text_bert have been checked to be arrays of the shapes that struct dataset
 * says. */
extern const char *const label_keys[LABELS];

#endif
