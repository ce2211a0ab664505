/* Files on disk: replaced whole, written in place. */
#include "common/run/file.h"
#include "common/run/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
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
    if (f->named)
        unlink(f->beside);
}

/* Does the file system lack files without a name? */
static bool knows_no_nameless(int reason)
{
    return reason == EOPNOTSUPP || reason == EISDIR || reason == EINVAL || reason == ENOENT;
}

/* Such a file is given its name by way of /proc. */
static int open_nameless(struct msa *m, const struct target *t, mode_t mode)
{
    char *folder = file_folder(m, t->path);
    errno = EOPNOTSUPP;
    int fd = access("/proc/self/fd", X_OK) != 0
                 ? -1
                 : open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    int reason = errno;
    msa_free(m, folder);
    errno = reason;
    return fd;
}

static void open_beside(struct msa *m, struct file *f)
{
    mode_t mode = f->target->exists ? f->target->status.st_mode & 0777 : 0666;
    f->fd = open_nameless(m, f->target, mode);
    if (f->fd >= 0 || !knows_no_nameless(errno))
        return;
    f->fd = open(f->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    f->named = f->fd >= 0;
}

struct file *file_create(struct msa *m, const char *path)
{
    struct target *target = msa_alloc(m, sizeof *target);
    *target = target_of(m, path);
    target_expect_writable(m, target);
    char *beside = target->plain ? claim_temporary(m, target) : NULL;
    struct claim *claim = claim_take(m, target);
    struct file *f = msa_alloc(m, sizeof *f); /* after these: at the end it goes before them */
    *f = (struct file){
        .whole = target->plain, .beside = beside, .fd = -1, .target = target, .claim = claim};
    msa_at_free(f, file_discard);
    f->path = msa_strndup(m, path, strlen(path));
    if (f->whole)
        open_beside(m, f);
    else
        f->fd = claim_open(m, target, O_WRONLY);
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

/* The new file, still open, becomes PATH. */
static void name_nameless(struct msa *m, struct file *f)
{
    char open_file[32];
    snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", f->fd);
    if (linkat(AT_FDCWD, open_file, AT_FDCWD, f->target->path, AT_SYMLINK_FOLLOW) == 0)
        return;
    if (errno != EEXIST)
        cannot_write(m, f->path);
    if (linkat(AT_FDCWD, open_file, AT_FDCWD, f->beside, AT_SYMLINK_FOLLOW) != 0)
        cannot_write(m, f->path);
    f->named = true; /* as a link replaces nothing */
}

static void commit(struct msa *m, struct file *f, bool lasting)
{
    bool sync = f->whole && lasting;
    mapping_check(m);
    errno = EIO; /* of an earlier write, whose reason is gone */
    if (f->stream && (fflush(f->stream) != 0 || ferror(f->stream)))
        cannot_write(m, f->path);
    if (sync && fsync(f->fd) != 0)
        cannot_write(m, f->path);
    if (f->whole && !f->named)
        name_nameless(m, f);
    int closed = f->stream ? fclose(f->stream) : close(f->fd);
    f->stream = NULL;
    f->fd = -1;
    if (closed != 0 || (f->named && rename(f->beside, f->target->path) != 0))
        cannot_write(m, f->path);
    f->named = false;
    if (sync)
        sync_directory(m, f->target->path);
    file_abandon(m, f); /* nothing of it is left but its memory and its claim */
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
    char *path = (char *)f->path, *beside = f->beside;
    struct target *target = f->target;
    struct claim *claim = f->claim;
    msa_free(m, f);
    claim_drop(m, claim);
    msa_free(m, beside);
    msa_free(m, path);
    target_free(m, target);
    msa_free(m, target);
}

void file_check(struct msa *m, const char *path)
{
    file_abandon(m, file_create(m, path));
}

void file_check_name(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    msa_free(m, claim_temporary(m, &t));
    target_free(m, &t);
}

void file_claim(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    claim_take(m, &t);
    target_keep(m, &t);
    target_free(m, &t);
}

/* ---- In place ---- */

int file_open(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    int fd = claim_open(m, &t, O_WRONLY | O_APPEND | O_CREAT);
    if (fd < 0 || (t.plain && ftruncate(fd, 0) != 0))
        cannot_write(m, path);
    target_keep(m, &t);
    target_free(m, &t);
    return fd;
}

void file_expect(struct msa *m, const struct target *t, int fd, int64_t length)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        cannot_write(m, t->given);
    if (!t->plain || !S_ISREG(status.st_mode))
        return;
    if (!target_still(t->path, fd))
        msa_fail(m, MSA_FAILED, "'%s' was removed or replaced while it was being written",
                 t->given);
    if (status.st_size != length)
        msa_fail(m, MSA_FAILED,
                 "'%s' was changed while it was being written: it has %jd bytes but expected %jd",
                 t->given, (intmax_t)status.st_size, (intmax_t)length);
}

void file_remove(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    if (unlink(t.path) == 0)
        sync_directory(m, t.path);
    else if (errno != ENOENT)
        msa_fail_errno(m, "cannot remove '%s'", path);
    target_free(m, &t);
}

size_t file_read_at(struct msa *m, int fd, const char *path, uint8_t *to, size_t size, off_t at)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(fd, to + filled, size - filled, at + (off_t)filled);
        if (got < 0 && errno != EINTR)
            cannot_read(m, path);
        if (got == 0)
            break;
        filled += got > 0 ? (size_t)got : 0;
    }
    return filled;
}

static void close_held(void *fd)
{
    if (*(int *)fd >= 0)
        close(*(int *)fd);
}

int *file_hold(struct msa *m, int fd)
{
    int *held = msa_alloc(m, sizeof *held);
    *held = fd;
    msa_at_free(held, close_held);
    return held;
}

int file_let_go(struct msa *m, int *held)
{
    int fd = *held;
    *held = -1;
    msa_free(m, held);
    return fd;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_is_regular(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    bool regular = t.plain && t.exists;
    target_free(m, &t);
    return regular;
}
