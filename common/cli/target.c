/* Where outputs go. */
#include "common/cli/target.h"

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

/* What a link holds, as a path from where the link is read; NULL: `path` is no link. */
static char *link_at(struct msa *m, const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0 || (size_t)length >= sizeof target)
        return NULL;
    char *text = msa_strndup(m, target, (size_t)length);
    if (text[0] == '/')
        return text;
    char *folder = name_of(path) > path ? file_folder(m, path) : msa_strndup(m, "", 0);
    char *whole = msa_format(m, "%s%s", folder, text);
    msa_free(m, folder);
    msa_free(m, text);
    return whole;
}

static void follow(struct msa *m, struct target *t)
{
    t->path = msa_strndup(m, t->given, strlen(t->given));
    for (int links = 0; links < LINKS_MOST; links++) {
        t->descriptor = descriptor_of(m, t->path);
        char *next = t->descriptor < 0 ? link_at(m, t->path) : NULL;
        if (!next)
            return;
        msa_free(m, t->path);
        t->path = next;
    }
}

struct target target_of(struct msa *m, const char *path)
{
    struct target t = {.given = path, .descriptor = -1};
    follow(m, &t);
    t.name = name_of(t.path);
    t.exists = stat(path, &t.status) == 0;
    t.plain = t.descriptor < 0 && (!t.exists || S_ISREG(t.status.st_mode));
    char *folder = file_folder(m, t.path);
    if (stat(folder, &t.folder) != 0)
        t.folder = (struct stat){0};
    msa_free(m, folder);
    return t;
}

void target_free(struct msa *m, struct target *t)
{
    msa_free(m, t->path);
    *t = (struct target){.descriptor = -1};
}

static bool one_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool one_folder(const struct target *a, const struct target *b)
{
    return a->folder.st_ino && one_inode(&a->folder, &b->folder);
}

bool target_same_name(const struct target *a, const struct target *b)
{
    return one_folder(a, b) && strcmp(a->name, b->name) == 0;
}

bool target_same(const struct target *a, const struct target *b)
{
    if (!a->plain || !b->plain)
        return false;
    if (a->exists && b->exists && one_inode(&a->status, &b->status))
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
    return stat(path, &named) == 0 && fstat(fd, &held) == 0 && one_inode(&named, &held);
}
