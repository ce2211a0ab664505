/* Frames shown: in lines for people (show_text.c), or as JSON objects (show_json.c); show_value.c
 * has the values of tensors. */
#ifndef MSA_SHOW_H
#define MSA_SHOW_H

#include "common/stream/tensor.h"
#include "common/stream/value.h"
#include <stdio.h>

/* What is shown, and where. */
struct show {
    struct msa *m;
    FILE *to;
    const char *tensors; /* names, comma-separated; NULL: all */
    bool values;         /* of the tensors, not only what they are like */
    bool json;           /* an object a line */
    bool pipeline;       /* who made the stream, and nothing else */
};

/* A frame that was read, in either direction. Fails the run with MSA_CORRUPT where a tensor of it
 * is none. */
void show_frame(const struct show *s, const struct frame *f, bool back);
/* What has been shown is there to be seen, however the run may end. Fails the run: MSA_CLOSED where
 * nobody reads it any more, "cannot write the report: REASON". */
void show_flush(const struct show *s);

/* The two forms of a frame, and of its pipeline: a line, or an object, a program. */
void show_text(const struct show *s, const struct frame *f, bool back);
void show_json(const struct show *s, const struct frame *f, bool back);
void show_pipeline_text(const struct show *s, const struct frame *f, const char *indent);
void show_pipeline_json(const struct show *s, const struct frame *f);

/* The name of sample i: its id in the record's `id`, which may be NULL, else its number. */
void show_sample(FILE *to, const value *id, size_t i);
/* A value in a few words. */
void show_value(FILE *to, const value *v);

/* What both forms share: the tensors of a record or gradient that are to be shown; their number. */
int show_tensors(const struct show *s, const struct frame *f,
                 struct tensor tensors[RECORD_TENSORS]);
/* Samples of a record: dimension 0 of its tensors, or the number of ids; -1: it has neither. */
int64_t show_samples(const struct frame *f);
/* Is the value a tensor? Maps with bin keys may be. */
bool show_is_tensor(const value *v, struct tensor *t);

#endif
