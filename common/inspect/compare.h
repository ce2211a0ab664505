/* Comparing two streams, or other collections of tensors, value by value: what differs, by how
 * much, and where first.
 *
 * Numbers a and b are equal when |a-b| <= tolerance * max(1, |a|, |b|); NaN equals NaN, and an
 * infinity itself. Whole numbers, and all that is no number, have to be the same.
 *
 * compare.c goes through collections of tensors, compare_stream.c through frames, compare_value.c
 * through values and tensors. */
#ifndef MSA_COMPARE_H
#define MSA_COMPARE_H

#include "common/stream/record.h"
#include <stdio.h>

struct compare;

/* What is compared; zeroed: everything, and numbers have to be the same. */
struct compare_choice {
    double tolerance;
    const char *tensors; /* names, comma-separated: these alone, and no other value; NULL: all */
    long records;        /* the first ones of streams, with their gradients; 0: all */
};

struct compare *compare_new(struct msa *m, struct compare_choice choice);
const struct compare_choice *compare_chosen(const struct compare *c);
/* Is that tensor to be compared? NULL: is what is no tensor? */
bool compare_wants(struct compare *c, const char *tensor);
/* Warns of tensors that were named and have not been there; fails the run where none has. */
void compare_check_met(const struct compare *c);
bool compare_equal(const struct compare *c);
/* A line for each tensor or value that differs; with `all` for each that does not, too. Differences
 * that are only noted come with others and with `all`, unless `quiet`. Never fails the run. */
void compare_report(const struct compare *c, FILE *to, bool all, bool quiet);

/* Compares frame by frame, both to their ends or the number of records chosen. The header's `back`
 * and `checkpoint_line`, a control's `line`, and `training` everywhere are left out; how the
 * programs were called and where their files are (the header's `pipeline`, `parameters`, `commit`)
 * is only noted, as checksums (keys that end in crc32) are. */
void compare_streams(struct compare *c, struct msa *m, struct reader *a, struct reader *b);

/* A place in what is compared: what the report calls it, and where that is now. */
struct spot {
    const char *kind;          /* of the frame: "D", "back C"; "" for none */
    char path[VALUE_PATH];     /* "tensor 'label'", "loss.msr" */
    bool noted;                /* a difference here is only noted */
    const struct frame *frame; /* NULL: none */
    const value *id;           /* of the frame's samples; NULL: not known */
    int depth;                 /* items of arrays on the way, whose numbers are in `index` */
    size_t index[BODY_DEPTH];
};

/* Two tensors, values (with all that is in them), or texts; NULL: there is none on that side. */
void compare_tensors(struct compare *c, const struct spot *at, const struct tensor *a,
                     const struct tensor *b);
void compare_values(struct compare *c, struct spot *at, const value *a, const value *b);
void compare_texts(struct compare *c, const struct spot *at, const char *a, const char *b);

#endif
