/* The field's metrics, exactly as MMSA and ConFEDE compute them (msa-model(7), Metrics). */
#ifndef MSA_METRICS_H
#define MSA_METRICS_H

#include "common/dataset/dataset.h"

enum { METRICS_MAX = 8 };

/* One family's keys, in the order of the table: "acc2" "f1" "acc3" "acc5" "mae" "corr" for CH-SIMS,
 * "acc2_has0" "f1_has0" "acc2_non0" "f1_non0" "acc5" "acc7" "mae" "corr" for MOSI and MOSEI.
 * NULL-terminated. */
const char *const *metrics_keys(enum family family);
bool metrics_smaller_is_better(const char *key); /* mae */

/* values[i] belongs to metrics_keys(family)[i]. prediction[n], label[n] in float32; thresholds in
 * float32, weighted F1, undefined F1 is 0, Pearson in float64 (NaN for a constant side, or n = 0).
 * Means over no samples are NaN. One prediction or label that is not finite makes all of them NaN:
 * each says something of all samples. */
void metrics_compute(double values[METRICS_MAX], const float *prediction, const float *label,
                     size_t n, enum family family);

/* How many of x[n] are NaN or infinite. */
size_t metrics_nonfinite(const float *x, size_t n);

/* The class of a label for C classes: CH-SIMS C = 2, 3, 5 right-closed bins, MOSI/MOSEI C = 2 (y >=
 * 0) and 3, 5, 7 (msa-model(7), Losses, MSC). -1 when the family has no such C, or for NaN. */
int label_class(float label, int classes, enum family family);
/* What a class is called, from "negative" to "positive"; those of MOSI and MOSEI by the whole
 * number that they are around where C is 5 or 7. NULL when the family has no such C, or C no such
 * class. */
const char *class_name(int class, int classes, enum family family);

#endif
