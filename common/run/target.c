/* Where outputs go. */
#include "common/run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MOST = 40 }; /* as the kernel has it */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *file_folder(struct msa *m, const char *path)
{
    const char *name = name_of(path);
    return name > path ? msa_strndup(m, path, (size_t)(name - path)) : msa_strndup(m, ".", 1);
}

char *file_beside(struct msa *m, const char *path, const char *name)
{
    return msa_format(m, "%.*s%s", (int)(name_of(path) - path), path, name);
}

static bool all_digits(const char *text)
{
    return *text && !text[strspn(text, "0123456789")];
}

/* N of /dev/fd/N, /proc/self/fd/N and whatever else leads to the folder of descriptors; -1. */
static int descriptor_of(struct msa *m, const char *path)
{
    char here[PATH_MAX], descriptors[PATH_MAX];
    const char *name = name_of(path);
    if (!all_digits(name) || strlen(name) > 9)
        return -1;
    char *folder = file_folder(m, path);
    bool known = realpath(folder, here) != NULL;
    msa_free(m, folder);
    bool own =
        known && ((realpath("/proc/self/fd", descriptors) && !strcmp(here, descriptors)) ||
                  (realpath("/proc/thread-self/fd", descriptors) && !strcmp(here, descriptors)));
    return own ? (int)strtol(name, NULL, 10) : -1;
}

bool target_one_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- Links ---- */

/* Some links in /proc lead to what their text does not name, such as a pipe. */
static bool leads_to(const char *link, const char *path)
{
    struct stat at_link, at_path;
    return stat(link, &at_link) != 0 ||
           (stat(path, &at_path) == 0 && target_one_inode(&at_link, &at_path));
}

/* What a link holds, as a path from where the link is read; NULL: `path` is no link. */
static char *link_at(struct msa *m, const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0 || (size_t)length >= sizeof target)
        return NULL;
    int before = target[0] == '/' ? 0 : (int)(name_of(path) - path);
    char *whole = msa_format(m, "%.*s%.*s", before, path, (int)length, target);
    if (leads_to(path, whole))
        return whole;
    msa_free(m, whole);
    return NULL;
}

/* The path without its first link, be that a folder or the whole; NULL: there is none in it. */
static char *follow_first(struct msa *m, const char *path)
{
    const char *slash = path;
    while ((slash = strchr(slash + strspn(slash, "/"), '/'))) {
        char *folder = msa_strndup(m, path, (size_t)(slash - path)), *next = link_at(m, folder);
        char *whole = next ? msa_format(m, "%s%s", next, slash) : NULL;
        msa_free(m, next);
        msa_free(m, folder);
        if (whole)
            return whole;
    }
    return link_at(m, path);
}

/* Follows all links in *path; returns the descriptor that it then names, or -1. */
static int follow(struct msa *m, char **path)
{
    int descriptor = -1;
    for (int links = 0; links < LINKS_MOST && descriptor < 0; links++) {
        descriptor = descriptor_of(m, *path);
        char *next = descriptor < 0 ? follow_first(m, *path) : NULL;
        if (!next)
            break;
        msa_free(m, *path);
        *path = next;
    }
    return descriptor;
}

/* ---- Where links have led ---- */

struct route {
    struct route *next;
    char *given, *path; /* of a folder, with a slash or ".", or of a file */
    int *held;          /* a folder: open, so that its inode stays its own; NULL: not there yet */
};

static struct route *route_find(struct msa *m, const char *given)
{
    struct route *p = m->routes;
    while (p && strcmp(p->given, given) != 0)
        p = p->next;
    return p;
}

static struct route *route_add(struct msa *m, const char *given, char *path)
{
    struct route *p = msa_alloc(m, sizeof *p);
    *p = (struct route){.next = m->routes, .given = msa_strndup(m, given, strlen(given)), path};
    m->routes = p;
    return p;
}

/* The folder that `path` is in, as it was when the run first asked; the run's. */
static const char *route_of_folder(struct msa *m, const char *path)
{
    char *given = file_folder(m, path);
    struct route *p = route_find(m, given);
    if (!p) {
        char *leads = msa_strndup(m, given, strlen(given));
        follow(m, &leads);
        p = route_add(m, given, leads);
    }
    msa_free(m, given);
    if (p->held && !target_still(p->path, *p->held))
        msa_fail(m, MSA_FAILED, "cannot write '%s': its folder was removed or replaced", path);
    int fd = p->held ? -1 : open(p->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        p->held = file_hold(m, fd);
    return p->path;
}

char *file_in_folder(struct msa *m, const char *path)
{
    const char *name = name_of(path), *folder = route_of_folder(m, path);
    return msa_format(m, "%s%s", name > path ? folder : "", name);
}

void target_keep(struct msa *m, const struct target *t)
{
    if (t->plain && !route_find(m, t->given))
        route_add(m, t->given, msa_strndup(m, t->path, strlen(t->path)));
}

/* ---- Targets ---- */

/* The nearest folder above it that is there. */
static void find_folder(struct msa *m, struct target *t)
{
    for (t->below = t->name;;) {
        char *above = msa_strndup(m, t->path, (size_t)(t->below - t->path));
        bool found = stat(*above ? above : ".", &t->folder) == 0;
        msa_free(m, above);
        if (found || t->below == t->path)
            return;
        while (t->below > t->path && t->below[-1] == '/')
            t->below--;
        while (t->below > t->path && t->below[-1] != '/')
            t->below--;
    }
}

struct target target_of(struct msa *m, const char *path)
{
    struct target t = {.given = path, .descriptor = -1};
    struct route *kept = route_find(m, path);
    t.path = kept ? msa_strndup(m, kept->path, strlen(kept->path)) : file_in_folder(m, path);
    t.descriptor = kept ? -1 : follow(m, &t.path);
    t.name = name_of(t.path);
    t.exists = stat(t.path, &t.status) == 0;
    t.plain = t.descriptor < 0 && (t.exists ? S_ISREG(t.status.st_mode) : errno != ELOOP);
    find_folder(m, &t);
    return t;
}

void target_free(struct msa *m, struct target *t)
{
    msa_free(m, t->path);
    *t = (struct target){.descriptor = -1};
}

/* The next part of a path, after slashes and "."; its length. */
static size_t next_part(const char **path, const char *end)
{
    size_t length = 0;
    for (; *path < end; *path += length) {
        *path += strspn(*path, "/");
        length = strcspn(*path, "/");
        if (*path < end && !(length == 1 && **path == '.'))
            return length;
    }
    return 0;
}

static bool one_folder(const struct target *a, const struct target *b)
{
    const char *x = a->below, *y = b->below;
    if (!target_one_inode(&a->folder, &b->folder))
        return false;
    for (;;) {
        size_t n = next_part(&x, a->name), other = next_part(&y, b->name);
        if (n != other || memcmp(x, y, n) != 0)
            return false;
        if (!n)
            return true;
        x += n;
        y += n;
    }
}

bool target_same_name(const struct target *a, const struct target *b)
{
    return one_folder(a, b) && strcmp(a->name, b->name) == 0;
}

bool target_same(const struct target *a, const struct target *b)
{
    if (!a->plain || !b->plain)
        return false;
    if (a->exists && b->exists && target_one_inode(&a->status, &b->status))
        return true;
    return target_same_name(a, b);
}

bool target_is_checkpoint(const struct target *t, const struct target *of)
{
    size_t length = strlen(of->name);
    return one_folder(t, of) && strncmp(t->name, of->name, length) == 0 && t->name[length] == '.' &&
           all_digits(t->name + length + 1);
}

bool target_still(const char *path, int fd)
{
    struct stat named, held;
    return stat(path, &named) == 0 && fstat(fd, &held) == 0 && target_one_inode(&named, &held);
}

void target_expect_writable(struct msa *m, const struct target *t)
{
    if (t->plain && t->exists && !(t->status.st_mode & 0222))
        msa_fail(m, MSA_FAILED, "cannot write '%s': it is write-protected", t->given);
}
