/* One writer a file. */
#include "common/run/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { PATIENCE = 5000, RETRY = 20 };               /* ms */
enum { DIGITS = 8 };                                /* of a temporary name */
static const char mark[] = ".msa-", end[] = ".tmp"; /* around them */

struct claim {
    struct claim *next;
    struct target target;
    char *lock; /* its path */
    int fd;     /* -1: not locked */
};

/* ---- Locks ---- */

static _Noreturn void cannot_lock(struct msa *m, const struct target *t, const char *lock)
{
    if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL)
        msa_fail(m, MSA_FAILED, "cannot write '%s': its file system has no locks (%s)", t->given,
                 strerror(errno));
    msa_fail_errno(m, "cannot write '%s': cannot lock '%s'", t->given, lock);
}

/* Locks the open file. -1, errno: EAGAIN where another program has. */
static int lock_whole(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int failed = fcntl(fd, F_OFD_SETLK, &whole);
    if (failed && errno == EACCES) /* POSIX allows either */
        errno = EAGAIN;
    return failed;
}

/* Locks the file that is open as fd, at `path`. False: another program has, or has put another
 * there; fd is closed then. */
static bool lock_file(struct msa *m, const struct target *t, int fd, const char *path, bool created)
{
    int failed = lock_whole(fd), reason = failed ? errno : EAGAIN;
    if (!failed && target_still(path, fd))
        return true;
    if (created && reason != EAGAIN)
        unlink(path);
    close(fd);
    errno = reason;
    if (reason != EAGAIN)
        cannot_lock(m, t, path);
    return false;
}

/* Does another program hold the file itself, to write it in place? */
static bool is_held(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return held;
}

/* After an attempt that another program blocked. */
static void wait_longer(struct msa *m, const struct target *t, int *waited)
{
    if (*waited >= PATIENCE)
        msa_fail(m, MSA_FAILED, "cannot write '%s': another program is writing it", t->given);
    poll(NULL, 0, RETRY);
    *waited += RETRY;
}

/* ---- Names beside the file ---- */

/* .NAME and this tail. */
static char *beside(struct msa *m, const struct target *t, const char *tail)
{
    return msa_format(m, "%.*s.%s%s", (int)(t->name - t->path), t->path, t->name, tail);
}

static uint32_t chance(const void *here)
{
    uint32_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number)
        return number;
    return (uint32_t)getpid() * 2654435761u +
           (uint32_t)(uintptr_t)here; /* a collision is only another try */
}

char *claim_temporary(struct msa *m, const struct target *t)
{
    for (;;) {
        char tail[sizeof mark + DIGITS + sizeof end];
        struct stat status;
        snprintf(tail, sizeof tail, "%s%08x%s", mark, (unsigned)chance(t), end);
        char *path = beside(m, t, tail);
        if (lstat(path, &status) == 0) {
            msa_free(m, path);
            continue;
        }
        if (errno == ENAMETOOLONG)
            msa_fail_errno(m, "cannot write '%s'", t->given);
        return path;
    }
}

/* Is the entry one that claim_temporary may have named for this file? */
static bool is_temporary(const char *entry, const char *name)
{
    size_t length = strlen(name);
    if (entry[0] != '.' || strncmp(entry + 1, name, length) != 0)
        return false;
    const char *tail = entry + 1 + length;
    return strncmp(tail, mark, sizeof mark - 1) == 0 &&
           strspn(tail + sizeof mark - 1, "0123456789abcdef") == DIGITS &&
           strcmp(tail + sizeof mark - 1 + DIGITS, end) == 0;
}

/* Best effort: what it cannot remove does no harm. */
static void remove_temporaries(struct msa *m, const struct target *t)
{
    char *folder = file_folder(m, t->path);
    DIR *entries = opendir(folder);
    for (struct dirent *e; entries && (e = readdir(entries));)
        if (is_temporary(e->d_name, t->name))
            unlinkat(dirfd(entries), e->d_name, 0);
    if (entries)
        closedir(entries);
    msa_free(m, folder);
}

/* ---- What is replaced ---- */

/* A lock is of no use to those who may not write the file: only those can open it who may write in
 * its folder. */
static void share_lock(int fd, const struct stat *folder)
{
    bool others = (folder->st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH;
    bool group = (folder->st_mode & S_IWGRP) && fchown(fd, (uid_t)-1, folder->st_gid) == 0;
    if (group || others)
        fchmod(fd, 0600 | (group ? 0060 : 0) | (others ? 0006 : 0));
}

/* Opens the lock, made or (*old) as it was found. -1, errno: ENOENT where it has just gone. */
static int open_lock(const struct claim *c, bool *old)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = open(c->lock, flags | O_CREAT | O_EXCL, 0600);
    *old = fd < 0 && errno == EEXIST;
    if (*old)
        fd = open(c->lock, flags);
    else if (fd >= 0)
        share_lock(fd, &c->target.folder);
    return fd;
}

/* One try; false: another program is in the way, of another user perhaps, or has just gone out of
 * it. */
static bool try_lock(struct msa *m, struct claim *c, bool *old, bool last)
{
    int fd = open_lock(c, old);
    if (fd < 0 && !*old)
        msa_fail_errno(m, "cannot write '%s'", c->target.given);
    if (fd < 0 && errno != ENOENT && (errno != EACCES || last))
        cannot_lock(m, &c->target, c->lock);
    if (fd < 0 || !lock_file(m, &c->target, fd, c->lock, !*old))
        return false;
    c->fd = fd;
    return true;
}

/* A lock that is not empty is not ours, and stays. */
static void claim_release(void *memory)
{
    struct claim *c = memory;
    struct stat status;
    if (c->fd < 0)
        return;
    if (fstat(c->fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0 &&
        target_still(c->lock, c->fd))
        unlink(c->lock);
    close(c->fd);
}

static bool is_claimed(const struct msa *m, const struct target *t)
{
    for (const struct claim *c = m->claims; c; c = c->next)
        if (target_same_name(&c->target, t))
            return true;
    return false;
}

static struct claim *claim_new(struct msa *m, const struct target *t)
{
    struct target copy = target_of(m, msa_strndup(m, t->given, strlen(t->given)));
    char *lock = beside(m, &copy, ".lock");
    struct claim *c = msa_alloc(m, sizeof *c); /* after its path: at the end it goes before that */
    *c = (struct claim){.next = m->claims, .target = copy, .lock = lock, .fd = -1};
    m->claims = c;
    msa_at_free(c, claim_release);
    return c;
}

struct claim *claim_take(struct msa *m, const struct target *t)
{
    bool old;
    int waited = 0;
    if (!t->plain || is_claimed(m, t))
        return NULL;
    struct claim *c = claim_new(m, t);
    while (!try_lock(m, c, &old, waited >= PATIENCE))
        wait_longer(m, &c->target, &waited);
    while (is_held(c->target.path))
        wait_longer(m, &c->target, &waited);
    if (old)
        remove_temporaries(m, &c->target);
    return c;
}

void claim_drop(struct msa *m, struct claim *c)
{
    struct claim **at = &m->claims;
    if (!c)
        return;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    char *path = (char *)c->target.given, *lock = c->lock;
    struct target target = c->target;
    msa_free(m, c);
    msa_free(m, path);
    msa_free(m, lock);
    target_free(m, &target);
}

/* False: another program has the lock. */
static bool clear(struct msa *m, const struct target *t, bool last)
{
    char *lock = beside(m, t, ".lock");
    bool left = !is_claimed(m, t) && access(lock, F_OK) == 0, old;
    msa_free(m, lock);
    if (!left)
        return true;
    struct claim *c = claim_new(m, t);
    bool locked = try_lock(m, c, &old, last);
    if (locked)
        remove_temporaries(m, &c->target);
    claim_drop(m, c);
    return locked;
}

void claim_clear(struct msa *m, const struct target *t)
{
    for (int waited = 0; !clear(m, t, waited >= PATIENCE);)
        wait_longer(m, t, &waited);
}

/* ---- What is written in place ---- */

/* Each looks at the other's lock after it has taken its own: who replaces the file waits with that,
 * and who writes in place lets go of it first. */
int claim_open(struct msa *m, const struct target *t, int flags)
{
    struct stat status;
    if (t->descriptor >= 0)
        return fcntl(t->descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    for (int waited = 0;; wait_longer(m, t, &waited)) {
        int fd = open(t->path, flags | O_CLOEXEC, 0666);
        if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
            return fd;
        if (!lock_file(m, t, fd, t->path, false))
            continue;
        int *held = file_hold(m, fd);
        if (clear(m, t, waited >= PATIENCE))
            return file_let_go(m, held);
        msa_free(m, held);
    }
}
