/* Files that are read by being mapped, and those that others make shorter meanwhile. */
#ifndef MSA_MAPPING_H
#define MSA_MAPPING_H

#include "common/run/run.h"

/* A whole file mapped read-only, which the run undoes at its end. An empty file has bytes == NULL.
 */
struct mapping {
    const uint8_t *bytes;
    size_t size;
};

/* Fails the run: "cannot read 'PATH': REASON"; a directory or what cannot be mapped likewise. */
struct mapping mapping_of(struct msa *m, const char *path);
/* Of the file that is open as fd, of that size; `path` names it in errors. */
struct mapping mapping_open(struct msa *m, int fd, size_t size, const char *path);
/* Has the pages that lie within these bytes of it take no memory until they are read again. */
void mapping_forget(struct mapping map, const void *from, size_t size);
/* Undoes it sooner. Fails as mapping_check. */
void mapping_close(struct msa *m, struct mapping map);

/* For the main function of a process: from now on what is no longer there of a file that is mapped
 * reads as zeros, which mapping_check tells of. */
void mapping_watch(void);
/* To be called before what was computed leaves the run: fails it with MSA_CORRUPT where zeros were
 * read that are not there: "data.pkl: became shorter while it was read". */
void mapping_check(struct msa *m);
/* For msa_run, when a run has failed: such zeros are the reason, whatever was found in them. */
void mapping_explain(struct msa *m);

#endif
