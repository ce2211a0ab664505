/* What is in a data set: msa-load --info. Nothing is kept of it but counts; it is read a sample at
 * a time. info_text.c prints it for people, info_json.c for programs. */
#ifndef MSA_INFO_H
#define MSA_INFO_H

#include "common/dataset/dataset.h"

#include <stdio.h>

enum { INFO_KEYS = 256, INFO_CLASSES = 7, INFO_SHARES = 5 };

/* A key of the file, as each split has it: "<f4 [1284,50,768]"; "" where it does not. */
struct info_key {
    char *key;
    const char *becomes; /* in a record; NULL: it is not loaded */
    struct info_array {
        char dtype[24];
        int rank;
        size_t shape[TENSOR_RANK];
    } in[SPLITS]; /* dtype "": not there */
};

/* The frames of a modality [*,L,F] that are no padding, sample by sample. */
struct info_lengths {
    size_t padding;             /* frames, in all samples */
    size_t least, most;         /* frames that are none, in a sample */
    size_t shares[INFO_SHARES]; /* the quantiles info_shares */
};
extern const int info_shares[INFO_SHARES]; /* in hundredths: 5 25 50 75 95 */

struct info_label {
    double least, mean, most; /* of those that are finite; NaN: none is */
    size_t classes[INFO_CLASSES];
};

/* A tensor in a split. */
struct info_tensor {
    size_t nan, plus, minus; /* values that are not finite: NaN, infinity, minus infinity */
    struct info_lengths lengths;
    struct info_label label;
};

struct info {
    struct dataset *data;
    bool shown[SPLITS];
    int family;      /* enum family; -1: nothing tells */
    int class_count; /* the most that the family's labels are sorted into */
    const char *const *class_names;
    int key_count;
    size_t keys_left_out; /* more than INFO_KEYS */
    struct info_key keys[INFO_KEYS];
    size_t duplicates[SPLITS]; /* samples that have the id of one before them */
    struct info_tensor tensors[SPLITS][RECORD_TENSORS];
};

/* Reads the data set through. `split` -1: all; `family` -1: the data set's own. Owned by the
 * run. */
struct info *info_of(struct dataset *d, int split, int family);
/* Has the tensor frames, so that it has lengths? */
bool info_has_lengths(const struct info *info, int tensor);

/* What --info says, to the run's output: tables, or as JSON. */
void info_print(const struct info *info, bool json);
/* Tables for people, and one JSON object. */
void info_text(const struct info *info, FILE *to);
void info_json(const struct info *info, FILE *to);

#endif
