/* Where an output goes: the file that a path leads to, whatever it is called. */
#ifndef MSA_TARGET_H
#define MSA_TARGET_H

#include "common/cli/msa.h"
#include <sys/stat.h>

struct target {
    const char *given;  /* the caller's */
    char *path;         /* links followed; the run's */
    const char *name;   /* its last part */
    int descriptor;     /* N where it is /dev/fd/N, or any other name of that; else -1 */
    bool exists;        /* something is there */
    bool plain;         /* a regular file, or nothing yet; else it is written as it is */
    struct stat status; /* of what is there */
    struct stat folder; /* that it is in; st_ino 0: there is none */
};

struct target target_of(struct msa *m, const char *path);
void target_free(struct msa *m, struct target *t);
/* Have both one name in one folder? */
bool target_same_name(const struct target *a, const struct target *b);
/* Are both plain, and one file, or will be? */
bool target_same(const struct target *a, const struct target *b);
/* Is `t` called as checkpoint N of the parameter file `of` is: FILE.N? */
bool target_is_checkpoint(const struct target *t, const struct target *of);
/* Does `path` still lead to the file that is open as fd? */
bool target_still(const char *path, int fd);

/* The folder that PATH is in, "." or with a slash at its end; msa_free it. */
char *file_folder(struct msa *m, const char *path);

#endif
