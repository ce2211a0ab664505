/* Files that are either whole or not there. */
#ifndef MSA_FILE_H
#define MSA_FILE_H

#include "common/run/file_lock.h"
#include <stdio.h>

/* A file being replaced: writes go to one beside it, which has no name where the file system knows
 * such files, else one that nobody else has; file_commit makes it PATH. Kept for this run
 * (file_lock.h) until then. Owned by the run: when that ends before file_commit, the new file goes
 * too. What is no regular file, and what /dev/stdout and the like name, is written as it is; a
 * symbolic link is followed. */
struct file {
    const char *path; /* as given */
    char *beside;     /* a name for the new file; NULL: it is written directly */
    bool named;       /* it has that name */
    bool whole;       /* it takes the place of PATH; else that is written as it is */
    int fd;
    FILE *stream;          /* over fd, opened at the first file_stream; NULL before */
    struct target *target; /* of PATH */
    struct claim *claim;   /* NULL: the run has that anyway, or needs none */
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
/* Removes PATH, which need not be there, for good; links are followed. Fails the run: "cannot
 * remove 'PATH': REASON".
 */
void file_remove(struct msa *m, const char *path);
/* Fails now where a later file_create of PATH would; leaves nothing. */
void file_check(struct msa *m, const char *path);

/* Keeps PATH, which need not be there, for this run alone until it ends (claim_take): two trainings
 * in one place would ruin each other's files, and after a kill the rest of a line takes a moment to
 * end. */
void file_claim(struct msa *m, const char *path);

/* Creates or empties PATH, to be written in place, by this run alone. What is no regular file, and
 * what /dev/stdout and the like name, is written as it is. Fails the run: "cannot write 'PATH':
 * REASON". The descriptor is the caller's. */
int file_open(struct msa *m, const char *path);
/* Fails the run where a regular file that is written in place, and open as fd, is not at its path
 * any more, or has another length than was written: "'PATH' was removed or replaced while it was
 * being written", or "'PATH' was changed while it was being written: it has N bytes but expected
 * M". Of a file that is closed: mark.h. */
void file_expect(struct msa *m, const struct target *t, int fd, int64_t length);
/* Fails the run where a name in the folder of PATH may not be as long as that of PATH, or of what
 * is beside it while it is written; looks at nothing else. */
void file_check_name(struct msa *m, const char *path);

/* Bytes from an offset of an open file on: `size`, or fewer where it ends before; their number.
 * Fails the run: "cannot read 'PATH': REASON". */
size_t file_read_at(struct msa *m, int fd, const char *path, uint8_t *to, size_t size, off_t at);
bool file_exists(const char *path);
bool file_is_folder(const char *path); /* links followed */
/* Is a regular file there, links followed? Not by a name of a descriptor (/dev/fd/N). */
bool file_is_regular(struct msa *m, const char *path);
/* Has fd closed when this is freed, or the run ends. */
int *file_hold(struct msa *m, int fd);
/* Frees it, and the descriptor is the caller's. */
int file_let_go(struct msa *m, int *held);

#endif
