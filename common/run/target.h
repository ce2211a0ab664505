/* Where an output goes: the file that a path leads to, whatever it is called. Links are followed
 * once in a run: what leads elsewhere later leads this run where it did. */
#ifndef MSA_TARGET_H
#define MSA_TARGET_H

#include "common/run/run.h"
#include <sys/stat.h>

struct target {
    const char *given;  /* the caller's */
    char *path;         /* no link is in it; the run's */
    const char *name;   /* its last part */
    int descriptor;     /* N where it is /dev/fd/N, or any other name of that; else -1 */
    bool exists;        /* something is there */
    bool plain;         /* a regular file, or nothing yet; else it is written as it is */
    struct stat status; /* of what is there */
    struct stat folder; /* the nearest above it that is there */
    const char *below;  /* what of the path follows that: the name, unless folders are missing */
};

/* Fails the run where its folder is another than before: "cannot write 'PATH': its folder was
 * removed or replaced". */
struct target target_of(struct msa *m, const char *path);
void target_free(struct msa *m, struct target *t);
/* From now on its path leads this run there, whatever becomes of links. */
void target_keep(struct msa *m, const struct target *t);
/* Have both one name in one folder? */
bool target_same_name(const struct target *a, const struct target *b);
/* Are both plain, and one file, or will be? */
bool target_same(const struct target *a, const struct target *b);
/* Is `t` called as checkpoint N of the parameter file `of` is: FILE.N? */
bool target_is_checkpoint(const struct target *t, const struct target *of);
/* Are both of one file? */
bool target_one_inode(const struct stat *a, const struct stat *b);
/* Does `path` still lead to the file that is open as fd? */
bool target_still(const char *path, int fd);
/* Fails the run where nobody may write what is there, which protects it from root too: "cannot
 * write 'PATH': it is write-protected". */
void target_expect_writable(struct msa *m, const struct target *t);

/* The folder that PATH is in, "." or with a slash at its end; msa_free it. */
char *file_folder(struct msa *m, const char *path);
/* The path of the file NAME in the folder that PATH is in. msa_free it. */
char *file_beside(struct msa *m, const char *path, const char *name);
/* PATH with the links that lead to its folder followed, as target_of does, but not one that it may
 * be itself: what is to be removed. msa_free it. */
char *file_in_folder(struct msa *m, const char *path);

#endif
