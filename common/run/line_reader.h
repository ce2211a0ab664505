/* Text read a line at a time: from a file as it comes, or where it is in memory. It is UTF-8, which
 * may begin with a byte order mark; a line ends in LF or CR LF, the last one perhaps in nothing. */
#ifndef MSA_LINE_READER_H
#define MSA_LINE_READER_H

#include "common/run/run.h"
#include <stdio.h>

enum { LINE_MOST = 1 << 20 }; /* bytes, with its mark */

/* Bytes of the mark that a text begins with, which is none of it; `length` bytes of it are known.
 * Fails the run with MSA_CORRUPT where the mark is that of another encoding, "PATH: text in UTF-16
 * but expected UTF-8", or what begins so is no text: "PATH: a gzip archive but expected text". */
size_t lines_mark(struct msa *m, const char *path, const void *text, size_t length);

struct lines {
    struct msa *m;
    const char *path; /* for errors */
    FILE *stream;
    size_t number; /* of the line read last, from 1 */
    char text[LINE_MOST + 1];
};

/* Opens PATH, - is stdin. Fails the run: "cannot read 'PATH': REASON", or as content_expect where
 * it is no text. Owned by the run. */
struct lines *lines_open(struct msa *m, const char *path);
/* The next line without its end, terminated, its own until the next; NULL at the end of the file.
 * Fails the run as lines_mark, and with MSA_CORRUPT where a line is longer than LINE_MOST. */
char *lines_next(struct lines *l, size_t *length);

/* What is left of a text in memory. */
struct lines_left {
    const char *at, *end;
    size_t number; /* of the line read last, from 1 */
};

/* Fails the run as lines_mark. */
struct lines_left lines_of(struct msa *m, const char *path, const void *text, size_t length);
/* The next line without its end, where it stands; NULL: there is none. */
const char *lines_cut(struct lines_left *l, size_t *length);

#endif
