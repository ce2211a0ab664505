/* A file that this run has written, or goes on from, and that is its own: what tells later that
 * another program has removed or replaced it. */
#ifndef MSA_MARK_H
#define MSA_MARK_H

#include "common/run/run.h"
#include <sys/stat.h>

/* Zeroed: of no file, which is always as it was. */
struct mark {
    const char *path; /* the caller's; NULL: of none */
    struct stat status;
};

/* Of the regular file that PATH leads to now; of none where there is no such file. */
struct mark mark_of(struct msa *m, const char *path);
/* Fails the run where PATH leads to another file, to one of another length, or to none: "'PATH' was
 * removed, replaced or changed during the training". Some network file systems give a file another
 * inode when they have forgotten it: then its time tells. */
void mark_check(struct msa *m, const struct mark *mark);

#endif
