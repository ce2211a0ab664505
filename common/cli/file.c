/* Files on disk: replaced whole, mapped. */
#include "common/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void cannot_write(struct msa *m, const char *path)
{
    msa_fail_errno(m, "cannot write '%s'", path);
}

static _Noreturn void cannot_read(struct msa *m, const char *path)
{
    msa_fail_errno(m, "cannot read '%s'", path);
}

/* ---- Replacing ---- */

static void file_discard(void *memory)
{
    struct file *f = memory;
    if (f->stream)
        fclose(f->stream);
    else if (f->fd >= 0)
        close(f->fd);
    if (f->temporary)
        unlink(f->temporary);
}

/* Where the links at `path` lead, so that it is not a link that is replaced; owned by the run. */
static char *follow_links(struct msa *m, const char *path)
{
    struct stat status;
    char target[PATH_MAX];
    if (lstat(path, &status) != 0 || !S_ISLNK(status.st_mode))
        return msa_strndup(m, path, strlen(path));
    if (!realpath(path, target))
        cannot_write(m, path);
    return msa_strndup(m, target, strlen(target));
}

struct file *file_create(struct msa *m, const char *path)
{
    struct stat status;
    bool exists = stat(path, &status) == 0, whole = !exists || S_ISREG(status.st_mode);
    struct file *f = msa_alloc(m, sizeof *f);
    f->fd = -1;
    msa_at_free(f, file_discard);
    f->path = whole ? follow_links(m, path) : msa_strndup(m, path, strlen(path));
    if (whole) {
        char *temporary = msa_format(m, "%s.tmp", f->path);
        unlink(temporary); /* left by a run that was killed */
        mode_t mode = exists ? status.st_mode & 0777 : 0666;
        f->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        f->temporary = f->fd < 0 ? NULL : temporary;
    } else {
        f->fd = open(f->path, O_WRONLY | O_CLOEXEC);
    }
    if (f->fd < 0)
        cannot_write(m, path);
    return f;
}

FILE *file_stream(struct msa *m, struct file *f)
{
    if (!f->stream && !(f->stream = fdopen(f->fd, "w")))
        cannot_write(m, f->path);
    return f->stream;
}

/* Makes a rename in the directory of `path` last. */
static void sync_directory(struct msa *m, const char *path)
{
    char *directory = file_folder(m, path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        cannot_write(m, path);
    bool failed = fsync(fd) != 0 && errno != EINVAL; /* some file systems cannot, and need not */
    int reason = errno;
    close(fd);
    errno = reason;
    if (failed)
        cannot_write(m, path);
    msa_free(m, directory);
}

static void commit(struct msa *m, struct file *f, bool lasting)
{
    bool sync = f->temporary && lasting;
    errno = EIO; /* of an earlier write, whose reason is gone */
    if (f->stream && (fflush(f->stream) != 0 || ferror(f->stream)))
        cannot_write(m, f->path);
    if (sync && fsync(f->fd) != 0)
        cannot_write(m, f->path);
    int closed = f->stream ? fclose(f->stream) : close(f->fd);
    f->stream = NULL;
    f->fd = -1;
    if (closed != 0 || (f->temporary && rename(f->temporary, f->path) != 0))
        cannot_write(m, f->path);
    msa_free(m, f->temporary);
    f->temporary = NULL;
    if (sync)
        sync_directory(m, f->path);
    file_abandon(m, f); /* nothing of it is left but its memory */
}

void file_commit(struct msa *m, struct file *f)
{
    commit(m, f, true);
}

void file_commit_unsynced(struct msa *m, struct file *f)
{
    commit(m, f, false);
}

void file_abandon(struct msa *m, struct file *f)
{
    char *path = (char *)f->path, *temporary = f->temporary;
    msa_free(m, f);
    msa_free(m, temporary);
    msa_free(m, path);
}

void file_check(struct msa *m, const char *path)
{
    file_abandon(m, file_create(m, path));
}

/* ---- In place ---- */

void file_spare(struct msa *m, const char *path, const char *input)
{
    struct stat target, source;
    bool piped = strcmp(input, "-") == 0;
    if (stat(path, &target) == 0 && S_ISREG(target.st_mode) &&
        (piped ? fstat(STDIN_FILENO, &source) : stat(input, &source)) == 0 &&
        target.st_dev == source.st_dev && target.st_ino == source.st_ino)
        msa_fail(m, MSA_USAGE, "cannot write '%s': it is what is being read", path);
}

void file_spare_operands(struct msa *m, const char *path)
{
    if (!m->operand_count)
        file_spare(m, path, "-");
    for (int i = 0; i < m->operand_count; i++)
        file_spare(m, path, m->operands[i]);
}

int file_open(struct msa *m, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode)) {
        file_spare_operands(m, path);
        file_claim(m, path);
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        cannot_write(m, path);
    return fd;
}

/* ---- Mapping ---- */

struct mapping file_map(struct msa *m, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused, not waited for */
    struct stat status = {0};
    if (fd < 0 || fstat(fd, &status) != 0)
        cannot_read(m, path);
    struct mapping map = {.size = (size_t)status.st_size};
    void *bytes = NULL;
    if (S_ISREG(status.st_mode) && map.size)
        bytes = mmap(NULL, map.size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    close(fd);
    errno = S_ISDIR(status.st_mode) ? EISDIR : reason;
    if (bytes == MAP_FAILED || S_ISDIR(status.st_mode))
        cannot_read(m, path);
    if (!S_ISREG(status.st_mode))
        msa_fail(m, MSA_FAILED, "cannot read '%s': not a regular file", path);
    map.bytes = bytes;
    return map;
}

void file_unmap(struct mapping map)
{
    if (map.bytes)
        munmap((void *)map.bytes, map.size);
}

void file_remove(struct msa *m, const char *path)
{
    if (unlink(path) == 0)
        sync_directory(m, path);
    else if (errno != ENOENT)
        msa_fail_errno(m, "cannot remove '%s'", path);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *file_folder(struct msa *m, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? msa_strndup(m, path, (size_t)(slash + 1 - path)) : msa_strndup(m, ".", 1);
}
