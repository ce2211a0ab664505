/* Temporary files. */
#ifndef MSA_TEMP_FILE_H
#define MSA_TEMP_FILE_H

#include "common/run/mapping.h"

/* A new file without a name, in TMPDIR or /tmp: it is gone when it is closed, however the run ends.
 * Fails the run: "cannot write a temporary file in '/tmp': REASON", and where there is no room: "…
 * (N bytes were free; TMPDIR names another folder)". Owned by the run. */
struct spool {
    int fd;
    const char *directory;
    size_t size;   /* written so far */
    uint64_t free; /* bytes of the file system when it was opened */
};
struct spool *spool_open(struct msa *m);
void spool_write(struct msa *m, struct spool *s, const void *bytes, size_t size);
/* What has been written; it outlives the spool. */
struct mapping spool_map(struct msa *m, const struct spool *s);

#endif
