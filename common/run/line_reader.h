/* Text read a line at a time. */
#ifndef MSA_LINE_READER_H
#define MSA_LINE_READER_H

#include "common/run/run.h"
#include <stdio.h>

enum { LINE_MOST = 1 << 20 }; /* bytes */

struct lines {
    struct msa *m;
    const char *path; /* for errors */
    FILE *stream;
    size_t number; /* of the line read last, from 1 */
    char text[LINE_MOST + 1];
};

/* Opens PATH, - is stdin. Fails the run: "cannot read 'PATH': REASON". Owned by the run. */
struct lines *lines_open(struct msa *m, const char *path);
/* The next line without its end (LF or CR LF), terminated, its own until the next; NULL at the end
 * of the file. Fails the run; with MSA_CORRUPT where a line is longer than LINE_MOST. */
char *lines_next(struct lines *l, size_t *length);

#endif
