/* Logs: files written line by line. */
#include "common/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void cannot_write(struct msa *m, const struct log *log)
{
    msa_fail_errno(m, "cannot write '%s'", log->path);
}

static void log_discard(void *memory)
{
    struct log *log = memory;
    if (log->stream)
        fclose(log->stream);
    if (log->fd >= 0)
        close(log->fd);
}

static bool open_again(struct msa *m, struct log *log, int flags)
{
    log->fd = claim_open(m, log->target, O_WRONLY | O_APPEND | flags);
    if (log->fd < 0 && (flags || errno != ENOENT))
        cannot_write(m, log);
    return log->fd >= 0;
}

/* -1: it is written as it is. */
static int64_t length_of(struct msa *m, const struct log *log, int fd)
{
    struct stat status = {.st_mode = S_IFREG}; /* where it is not there yet */
    if (fd >= 0 && fstat(fd, &status) != 0)
        cannot_write(m, log);
    return log->target->plain && S_ISREG(status.st_mode) ? status.st_size : -1;
}

static void expect_length(struct msa *m, const struct log *log)
{
    int64_t length = length_of(m, log, log->fd);
    if (length < log->kept)
        msa_fail(m, MSA_FAILED, "cannot go on with '%s': %jd bytes but expected at least %jd",
                 log->path, (intmax_t)length, (intmax_t)log->kept);
}

struct log *log_open(struct msa *m, const char *path, int64_t kept)
{
    struct log *log = msa_alloc(m, sizeof *log);
    *log = (struct log){.path = msa_strndup(m, path, strlen(path)), .kept = kept, .fd = -1};
    log->target = msa_alloc(m, sizeof *log->target);
    *log->target = target_of(m, log->path);
    msa_at_free(log, log_discard);
    if (open_again(m, log, 0)) {
        if (log->target->plain)
            claim_clear(m, log->target);
    } else { /* no file to lock yet: its name is locked until there is one */
        log->claim = claim_take(m, log->target);
        open_again(m, log, 0);
    }
    if (length_of(m, log, log->fd) >= 0)
        expect_length(m, log);
    return log;
}

/* Not in the memory of open_memstream: when there is none as that is closed, glibc loses the lines
 * and says nothing. */
static void hold(struct msa *m, struct log *log, const char *line)
{
    char *held = msa_format(m, "%s%s\n", log->held ? log->held : "", line);
    msa_free(m, log->held);
    log->held = held;
}

static void write_held(struct msa *m, struct log *log)
{
    if (log->held && (fputs(log->held, log->stream) == EOF || fflush(log->stream) != 0))
        cannot_write(m, log);
    if (log->held) {
        log->crc32 = libdeflate_crc32(log->crc32, log->held, strlen(log->held));
        log->length += (int64_t)strlen(log->held);
    }
    msa_free(m, log->held);
    log->held = NULL;
}

void log_begin(struct msa *m, struct log *log)
{
    if (log->begun)
        return;
    log->begun = true;
    if (log->fd < 0)
        open_again(m, log, O_CREAT);
    claim_drop(m, log->claim);
    log->claim = NULL;
    if (length_of(m, log, log->fd) >= 0 && ftruncate(log->fd, log->kept) != 0)
        cannot_write(m, log);
    log->stream = fdopen(log->fd, "a");
    if (!log->stream)
        cannot_write(m, log);
    log->fd = -1; /* it is the stream's */
    log->length = log->kept;
    write_held(m, log);
}

/* Its length; -1: it is written as it is. Fails the run where somebody else has changed it. */
static int64_t look(struct msa *m, const struct log *log)
{
    int fd = fileno(log->stream);
    int64_t length = length_of(m, log, fd);
    if (length >= 0 && !target_still(log->path, fd))
        msa_fail(m, MSA_FAILED, "'%s' was removed or replaced while it was being written",
                 log->path);
    if (length >= 0 && length != log->length)
        msa_fail(m, MSA_FAILED,
                 "'%s' was changed while it was being written: it has %jd bytes but expected %jd",
                 log->path, (intmax_t)length, (intmax_t)log->length);
    return length;
}

int64_t log_sync(struct msa *m, struct log *log)
{
    int64_t length = look(m, log);
    if (length >= 0 && fsync(fileno(log->stream)) != 0)
        cannot_write(m, log);
    return length < 0 ? 0 : length;
}

void log_line(struct msa *m, struct log *log, const char *line)
{
    hold(m, log, line);
    if (!log->begun && length_of(m, log, log->fd) <= log->kept) /* nothing would be lost */
        log_begin(m, log);
    if (log->begun)
        write_held(m, log);
}

void log_close(struct msa *m, struct log *log)
{
    FILE *stream = log->stream;
    if (stream)
        look(m, log);
    log->stream = NULL;
    if (stream && fclose(stream) != 0)
        cannot_write(m, log);
    msa_free(m, log->held);
    claim_drop(m, log->claim);
    target_free(m, log->target);
    msa_free(m, log->target);
    msa_free(m, (char *)log->path);
    msa_free(m, log);
}
