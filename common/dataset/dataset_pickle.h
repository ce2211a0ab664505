/* What the parts of MMSA's layout share: dataset_pickle.c (the splits, their fields, the schema),
 * dataset_pickle_check.c (kinds and shapes of fields), dataset_pickle_unknown.c (what is not read),
 * dataset_pickle_read.c (samples). */
#ifndef MSA_DATASET_PICKLE_H
#define MSA_DATASET_PICKLE_H

#include "common/dataset/dataset.h"
#include "common/formats/pickle/pickle.h"

/* Everything that is read from a split, in the order in which errors name it. */
enum {
    FIELD_BERT = MODALITIES,
    FIELD_LENGTHS, /* from here on one value a sample */
    FIELD_LABELS = FIELD_LENGTHS + MODALITIES,
    FIELD_TEXTS = FIELD_LABELS + LABELS,
    FIELDS = FIELD_TEXTS + RECORD_TEXTS
};

/* The values of a split, in the pickle; NULL: not there. */
struct fields {
    const struct pickle_value *dict;
    const struct pickle_value *of[FIELDS];
};

struct pickle_set {
    struct pickle *pickle;
    bool flat; /* one sample's arrays, without an axis of samples */
    struct fields splits[SPLITS];
    size_t frames[MODALITIES], width[MODALITIES]; /* L and F of [N,L,F]; 0: not there */
    size_t tokens;                                /* L of text_bert [N,3,L]; 0: not there */
    size_t longer[MODALITIES];    /* lengths above L: samples whose frames were cut off at L */
    int field_of[RECORD_TENSORS]; /* what a tensor of the schema is made of */
};

static inline struct pickle_set *pickle_set_of(const struct dataset *d)
{
    return d->own;
}

const char *pickle_field_key(int field); /* what the file calls it */

/* What a value is, as NumPy or Python says it: "<f4", "object", "list"; returns text. */
enum { PICKLE_DTYPE = 24 };
const char *pickle_dtype_text(char text[PICKLE_DTYPE], const struct pickle_value *v);

/* Fails the run where fields of the splits do not have the shapes and kinds that they are to have,
 * or not the same ones; notes their sizes in the set. */
void pickle_set_check(struct dataset *d);

/* Warns of what has samples under names that are neither known nor renamed: a line for each of the
 * first 16, and one that counts the others. */
void pickle_set_warn(struct dataset *d);
/* The same for the end of an error, where nothing else is there: " (msa-load --rename val=valid)";
 * "" where no name is likely. `where`: NAME_ANY, or names of splits or of keys alone. Owned by the
 * run. */
const char *pickle_set_remedy(struct dataset *d, int where);

/* Of sample i, as the file says: perhaps more than L. Fails the run where it is not a whole number
 * from 0. `field`: from FIELD_LENGTHS to FIELD_LABELS. */
double pickle_set_length(struct dataset *d, enum split split, int field, size_t i);

/* dataset_format's. */
void pickle_set_read(struct dataset *d, enum split split, int tensor, size_t i, void *out);
char *pickle_set_text(struct dataset *d, enum split split, enum record_text which, size_t i);

#endif
