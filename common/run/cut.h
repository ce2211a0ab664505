/* Mapped files that others make shorter while they are read. */
#ifndef MSA_CUT_H
#define MSA_CUT_H

#include "common/run/run.h"

/* For the main function of a process: from now on what is no longer there of a file that is mapped
 * (cut_add) reads as zeros, which cut_check tells of. */
void cut_watch(void);

/* A file is mapped there, and no longer. `path` is kept as a copy. */
void cut_add(struct msa *m, const void *bytes, size_t size, const char *path);
void cut_remove(const void *bytes);

/* To be called before what was computed leaves the run: fails it with MSA_CORRUPT where zeros were
 * read that are not there: "data.pkl: became shorter while it was read". */
void cut_check(struct msa *m);
/* For msa_run, when a run has failed: such zeros are the reason, whatever was found in them. */
void cut_explain(struct msa *m);

#endif
