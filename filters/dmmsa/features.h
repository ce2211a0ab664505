/* DMMSA's features (msa-model(7), Decomposition): similarity s_* and dissimilarity d_* of each
 * modality, and what the variants that make and read them share. */
#ifndef MSA_FEATURES_H
#define MSA_FEATURES_H

#include "common/dataset/tensor_names.h"

/* Features are the columns of `u`: s then d, each in the order T V A, of all modalities. */
enum { FEATURES = 2 * MODALITIES };

/* "s_text" to "d_audio", written into `name`; returns it. */
const char *name_feature(char name[TENSOR_NAME + 1], int feature);

/* Features in their order, all of one width. */
struct features {
    int count;
    size_t width;
    int which[FEATURES]; /* of all modalities' features */
    char names[FEATURES][TENSOR_NAME + 1];
};
/* Bytes that a list of all of them takes. */
enum { FEATURES_TEXT = FEATURES * (TENSOR_NAME + 1) };
/* Those that arrive. Fails the run with MSA_CORRUPT where one is not float32 [B,width]. */
struct features features_find(struct msa *m, const struct schema *schema);
/* Those that a list names ("s_text,d_text"); what is no feature is left out. */
struct features features_listed(const char *list, size_t width);
/* The list of those in `f` that are not in `without` (may be NULL); returns text. */
const char *features_list(char text[FEATURES_TEXT], const struct features *f,
                          const struct features *without);
/* How many of them are similarity features. */
int features_similarities(const struct features *f);
int features_index(const struct features *f, const char *name); /* -1: not among them */
/* The label that a feature is to predict: similarity the joint one, dissimilarity its own. */
int feature_label(int feature);

#endif
