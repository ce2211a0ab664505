/* Logs that grow a line at a time. */
#ifndef MSA_LOG_H
#define MSA_LOG_H

#include "common/run/file.h"

/* A log, written in place by this run alone, line by line, each line flushed. Owned by the run.
 * Fails the run: "cannot write 'PATH': REASON". */
struct log {
    const char *path;
    struct target *target;
    struct claim *claim; /* of a file that is not there yet */
    int64_t kept;        /* bytes of the file that stay */
    int64_t length;      /* bytes of the file, once it has begun */
    bool begun;
    int fd;         /* -1: there is no file yet */
    char *held;     /* lines that are not in the file yet; NULL: none */
    FILE *stream;   /* from when it has begun: others may write it too, and flush it */
    uint32_t crc32; /* of what is in the file; who opens it says so of the first `kept` bytes */
};
/* Touches nothing yet; a file with fewer than `kept` bytes fails the run. */
struct log *log_open(struct msa *m, const char *path, int64_t kept);
/* Lines so far, and those to come, go into the file, after its first `kept` bytes; what follows
 * these is lost. A log that loses nothing begins by itself, with its first line. */
void log_begin(struct msa *m, struct log *log);
/* Its length in bytes, now on the disk; 0 when it is no regular file. After log_begin. Fails the
 * run as file_expect. */
int64_t log_sync(struct msa *m, struct log *log);
/* Or will be, when it is there. */
bool log_is_regular(const struct log *log);
/* Its first line, the names of columns, at most LOG_HEAD bytes: goes before the first of log_line
 * where the log is new. Where it goes on, what is there must be the same, else the run fails with
 * MSA_USAGE: "cannot go on with 'PATH': column 8 is 'w_uni' but expected 'w_msr'". */
enum { LOG_HEAD = 8192 };
void log_head(struct msa *m, struct log *log, const char *line);
void log_line(struct msa *m, struct log *log, const char *line);
/* Fails the run as file_expect. */
void log_close(struct msa *m, struct log *log);

#endif
