/* Tab-separated files whose first line names the columns, read a line at a time. */
#ifndef MSA_TSV_H
#define MSA_TSV_H

#include "common/run/line_reader.h"

struct tsv {
    struct msa *m;
    const char *path;
    struct lines *lines; /* the one at hand is cut into cells */
    char *head;          /* the names of the columns, cut as well */
    int count;
    char **names; /* [count], into head */
    char **cells; /* [count], into the line */
};

/* Opens PATH (- is stdin) and reads the names, none of which may be there twice. Fails the run,
 * here and below: "cannot read 'PATH': REASON", or with MSA_CORRUPT and a line that names file,
 * line and column. Owned by the run. */
struct tsv *tsv_open(struct msa *m, const char *path);
/* Reads the next line that is not empty; false at the end. */
bool tsv_next(struct tsv *t);
int tsv_find(const struct tsv *t, const char *name);   /* -1: no such column */
int tsv_column(const struct tsv *t, const char *name); /* fails where there is none */
/* A cell that must be a decimal number that a float holds, or nan, inf or infinity, in capitals or
 * not, with a sign or not. */
float tsv_number(const struct tsv *t, int column);
/* A cell that names something, and must be printable (utf8.h). */
const char *tsv_name(const struct tsv *t, int column);
void tsv_close(struct tsv *t);

#endif
