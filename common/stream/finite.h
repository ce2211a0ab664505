/* NaN and infinities in records: where they are, and the check that --check-finite asks for. */
#ifndef MSA_FINITE_H
#define MSA_FINITE_H

#include "common/stream/record.h"

/* A number of a record that is NaN or infinite. */
struct nonfinite {
    const char *kind; /* "tensor", "loss" or "weight" */
    char name[BODY_KEY + 1];
    double number;
    const struct tensor *tensor; /* NULL: it is a loss or a weight */
    size_t at;                   /* element of the tensor */
};

/* The first element that is NaN or infinite; t->count: there is none. Whole numbers are finite. */
size_t tensor_nonfinite(const struct tensor *t);
/* The first such number among a record's losses, then its weights. False: all are finite. */
bool record_scalar_nonfinite(const struct record *r, struct nonfinite *found);
/* The first such number of a record or gradient: in its tensors as they stand there, then, of a
 * record, in its losses and weights. False: all are finite. */
bool record_nonfinite(const struct record *r, struct nonfinite *found);

const char *nonfinite_called(double number); /* "nan", "inf", "-inf" */
/* Says what was found: "epoch 1, step 3 (train): writes tensor 'h_text' with nan at [2,17], in
 * samples 2 'clip_2', 5 'clip_5' and 7 more", where `verb` is "writes ". `of` is the record whose
 * samples `r` tells of: r itself or, where r is a gradient, the record that it answers, NULL when
 * that is not at hand. */
enum { NONFINITE_TEXT = 768 };
void nonfinite_text(const struct nonfinite *found, const struct record *r, const struct record *of,
                    const char *verb, char line[NONFINITE_TEXT]);
/* With --check-finite, fails the run with MSA_FAILED and that line where there is such a number. */
void record_check_finite(const struct record *r, const struct record *of, bool written);

#endif
