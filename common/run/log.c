/* Logs: files written line by line. */
#include "common/run/log.h"

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
        fclose(log->stream); /* which is not the descriptor's */
    if (log->fd >= 0)
        close(log->fd);
}

/* What the stream writes, all of it, is counted here. */
static ssize_t write_through(void *closure, const char *bytes, size_t size)
{
    struct log *log = closure;
    size_t written = 0;
    while (written < size) {
        ssize_t n = write(log->fd, bytes + written, size - written);
        if (n < 0 && errno != EINTR)
            break;
        written += n > 0 ? (size_t)n : 0;
    }
    log->crc32 = libdeflate_crc32(log->crc32, bytes, written);
    log->length += (int64_t)written;
    return (ssize_t)written;
}

static bool open_again(struct msa *m, struct log *log, int flags)
{
    log->fd = claim_open(m, log->target, O_WRONLY | O_APPEND | flags);
    if (log->fd < 0 && (flags || errno != ENOENT))
        cannot_write(m, log);
    return log->fd >= 0;
}

bool log_is_regular(const struct log *log)
{
    return log->target->plain;
}

/* -1: it is written as it is. */
static int64_t length_of(struct msa *m, const struct log *log)
{
    struct stat status = {.st_mode = S_IFREG}; /* where it is not there yet */
    if (log->fd >= 0 && fstat(log->fd, &status) != 0)
        cannot_write(m, log);
    return log->target->plain && S_ISREG(status.st_mode) ? status.st_size : -1;
}

static void expect_length(struct msa *m, const struct log *log)
{
    int64_t length = length_of(m, log);
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
    if (!open_again(m, log, 0)) { /* no file to lock yet: its name is locked until there is one */
        log->claim = claim_take(m, log->target);
        open_again(m, log, 0);
    }
    if (length_of(m, log) >= 0)
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
    if (length_of(m, log) >= 0 && ftruncate(log->fd, log->kept) != 0)
        cannot_write(m, log);
    log->length = log->kept;
    log->stream = fopencookie(log, "a", (cookie_io_functions_t){.write = write_through});
    if (!log->stream)
        cannot_write(m, log);
    write_held(m, log);
}

int64_t log_sync(struct msa *m, struct log *log)
{
    if (fflush(log->stream) != 0)
        cannot_write(m, log);
    if (length_of(m, log) < 0)
        return 0;
    file_expect(m, log->target, log->fd, log->length);
    if (fsync(log->fd) != 0)
        cannot_write(m, log);
    return log->length;
}

/* The next of the columns in `line`, of *length bytes; NULL: there are no more. */
static const char *next_column(const char **line, size_t *length)
{
    const char *column = *line;
    if (!column)
        return NULL;
    *length = strcspn(column, "\t");
    *line = column[*length] ? column + *length + 1 : NULL;
    return column;
}

static void expect_columns(struct msa *m, const struct log *log, const char *found,
                           const char *expected)
{
    for (int number = 1; found || expected; number++) {
        size_t length = 0, wanted = 0;
        const char *is = next_column(&found, &length), *want = next_column(&expected, &wanted);
        if (!is || !want || length != wanted || memcmp(is, want, length) != 0)
            msa_fail(m, MSA_USAGE,
                     "cannot go on with '%s': column %d is '%.*s' but expected '%.*s'", log->path,
                     number, (int)length, is ? is : "", (int)wanted, want ? want : "");
    }
}

static void expect_head(struct msa *m, const struct log *log, const char *line)
{
    char *found = msa_alloc(m, LOG_HEAD + 1);
    int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", log->path);
    int *held = file_hold(m, fd);
    size_t size = file_read_at(m, fd, log->path, (uint8_t *)found, LOG_HEAD, 0);
    found[size] = '\0';
    found[strcspn(found, "\n")] = '\0';
    expect_columns(m, log, found, line);
    msa_free(m, held);
    msa_free(m, found);
}

void log_head(struct msa *m, struct log *log, const char *line)
{
    if (log->kept)
        expect_head(m, log, line);
    else
        hold(m, log, line);
}

void log_line(struct msa *m, struct log *log, const char *line)
{
    hold(m, log, line);
    if (!log->begun && length_of(m, log) <= log->kept) /* nothing would be lost */
        log_begin(m, log);
    if (log->begun)
        write_held(m, log);
}

void log_close(struct msa *m, struct log *log)
{
    if (log->stream && fflush(log->stream) != 0)
        cannot_write(m, log);
    if (log->stream)
        file_expect(m, log->target, log->fd, log->length);
    FILE *stream = log->stream;
    int fd = log->fd;
    log->stream = NULL;
    log->fd = -1;
    int closed = stream ? fclose(stream) : 0;
    if (fd >= 0 && (close(fd) != 0 || closed != 0))
        cannot_write(m, log);
    msa_free(m, log->held);
    claim_drop(m, log->claim);
    target_free(m, log->target);
    msa_free(m, log->target);
    msa_free(m, (char *)log->path);
    msa_free(m, log);
}
