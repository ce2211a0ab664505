/* Bytes that are too many for memory, in a file that has no name. */
#include "common/run/temp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static _Noreturn void cannot_write(struct msa *m, const char *directory)
{
    msa_fail_errno(m, "cannot write a temporary file in '%s'", directory);
}

static void spool_release(void *memory)
{
    int fd = ((struct spool *)memory)->fd;
    if (fd >= 0)
        close(fd);
}

/* Where the file system has no files without a name. */
static void open_named(struct msa *m, struct spool *s)
{
    char *path = msa_format(m, "%s/msa-XXXXXX", s->directory);
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd < 0 || unlink(path) != 0)
        cannot_write(m, s->directory);
    msa_free(m, path);
}

struct spool *spool_open(struct msa *m)
{
    const char *directory = getenv("TMPDIR");
    struct spool *s = msa_alloc(m, sizeof *s);
    struct statvfs room;
    s->directory = directory && *directory ? directory : "/tmp";
    s->fd = -1;
    msa_at_free(s, spool_release);
    s->fd = open(s->directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0)
        open_named(m, s);
    if (fstatvfs(s->fd, &room) == 0)
        s->free = (uint64_t)room.f_bavail * room.f_frsize;
    return s;
}

static _Noreturn void no_room(struct msa *m, const struct spool *s)
{
    msa_fail(m, MSA_FAILED,
             "cannot write a temporary file in '%s': %s (%" PRIu64
             " bytes were free; TMPDIR names another folder)",
             s->directory, strerror(errno), s->free);
}

void spool_write(struct msa *m, struct spool *s, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size) {
        ssize_t put = write(s->fd, at, size);
        if (put < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
            no_room(m, s);
        if (put < 0 && errno != EINTR)
            cannot_write(m, s->directory);
        if (put > 0) {
            at += put;
            size -= (size_t)put;
            s->size += (size_t)put;
        }
    }
}

struct mapping spool_map(struct msa *m, const struct spool *s)
{
    return mapping_open(m, s->fd, s->size, "a temporary file");
}
