/* Files that are either whole or not there, and logs that grow a line at a time. */
#ifndef MSA_FILE_H
#define MSA_FILE_H

#include "common/cli/msa.h"
#include <stdio.h>

/* A file being replaced: writes go to PATH.tmp beside it; file_commit makes it PATH. Owned by the
 * run: when that ends before file_commit, the temporary file goes too. A FIFO or device at PATH is
 * written in place; a symbolic link is followed. */
struct file {
    const char *path; /* the file itself, links followed */
    char *temporary;  /* NULL: in place */
    int fd;
    FILE *stream; /* over fd, opened at the first file_stream; NULL before */
};

/* Opens PATH for replacement. Fails the run: "cannot write 'PATH': REASON". */
struct file *file_create(struct msa *m, const char *path);
/* A buffered stream over it; do not fclose. */
FILE *file_stream(struct msa *m, struct file *f);
/* Flush, fsync, rename, fsync of the directory; frees f. Fails the run when any of it fails; unless
 * that is the last, PATH is untouched. */
void file_commit(struct msa *m, struct file *f);
/* The same without fsync: PATH changes at once, but may not be whole after the machine has failed.
 * For many files that are easily made again. */
void file_commit_unsynced(struct msa *m, struct file *f);
/* Removes the temporary file; frees f. Never fails. */
void file_abandon(struct msa *m, struct file *f);
/* Fails now where a later file_create of PATH would; leaves nothing. */
void file_check(struct msa *m, const char *path);

/* Keeps PATH, which need not be there, for this run alone until it ends: two trainings in one place
 * would ruin each other's files, and after a kill the rest of a line takes a moment to end. Waits
 * up to 5 seconds for another run that has it, then fails: "cannot write 'PATH': another program is
 * writing it". */
void file_claim(struct msa *m, const char *path);

/* Fails the run with MSA_USAGE when PATH and the file `input` ("-": stdin) that the program reads
 * are the same regular file, whatever they are called: writing the one would destroy the other. */
void file_spare(struct msa *m, const char *path, const char *input);
/* Opens PATH to be written in place, at its end: claimed (file_claim), none of the program's
 * operands (file_spare); the first `kept` bytes of a file that is there stay, a shorter one fails
 * the run. FIFOs and devices are written as they are. Fails the run: "cannot write 'PATH': REASON".
 * The descriptor is the caller's. */
int file_open(struct msa *m, const char *path, int64_t kept);

/* A log, opened so (file_open), then written line by line, each line flushed. Owned by the run. */
struct log {
    const char *path;
    FILE *stream;
};
struct log *log_open(struct msa *m, const char *path, int64_t kept);
/* Its length in bytes, now on the disk; 0 when it is no regular file. */
int64_t log_sync(struct msa *m, struct log *log);
void log_line(struct msa *m, struct log *log, const char *format, ...) MSA_PRINTF(3, 4);
void log_close(struct msa *m, struct log *log);

/* A whole file mapped read-only. An empty file has bytes == NULL. Fails the run: "cannot read
 * 'PATH': REASON"; a directory or an unmappable file likewise. Not owned by the run: whoever keeps
 * it unmaps it (msa_at_free). */
struct mapping {
    const uint8_t *bytes;
    size_t size;
};
struct mapping file_map(struct msa *m, const char *path);
void file_unmap(struct mapping map);

/* A new file without a name, in TMPDIR or /tmp: it is gone when it is closed, however the run ends.
 * Fails the run: "cannot write a temporary file in '/tmp': REASON". Owned by the run. */
struct spool {
    int fd;
    const char *directory;
    size_t size; /* written so far */
};
struct spool *spool_open(struct msa *m);
void spool_write(struct msa *m, struct spool *s, const void *bytes, size_t size);
/* What has been written; it outlives the spool. */
struct mapping spool_map(struct msa *m, const struct spool *s);

bool file_exists(const char *path);
/* The folder that PATH is in, "." or with a slash at its end; msa_free it. */
char *file_folder(struct msa *m, const char *path);

#endif
