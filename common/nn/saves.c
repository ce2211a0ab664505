/* Checkpoints of a parameter file. */
#include "common/nn/saves.h"
#include "common/cli/file.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *saves_path(struct msa *m, const char *path, long n)
{
    return msa_format(m, "%s.%ld", path, n);
}

/* N of the entry NAME.N, or of NAME.N.tmp, which a run that was killed left; 0: it is neither. */
static long number_of(const char *entry, const char *name)
{
    size_t length = strlen(name);
    char *end;
    if (strncmp(entry, name, length) != 0 || entry[length] != '.' ||
        !isdigit((unsigned char)entry[length + 1]))
        return 0;
    long n = strtol(entry + length + 1, &end, 10);
    return !*end || strcmp(end, ".tmp") == 0 ? n : 0;
}

static bool visit_others(struct msa *m, const char *path, long but, bool removes)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = file_folder(m, path);
    DIR *entries = opendir(folder);
    bool found = false;
    if (!entries)
        msa_fail_errno(m, "cannot look into '%s'", folder);
    for (struct dirent *e; (e = readdir(entries));) {
        long n = number_of(e->d_name, name);
        if (!n || n == but)
            continue;
        found = true;
        if (removes)
            unlinkat(dirfd(entries), e->d_name, 0);
    }
    closedir(entries);
    msa_free(m, folder);
    return found;
}

bool saves_others(struct msa *m, const char *path, long but)
{
    return visit_others(m, path, but, false);
}

void saves_remove(struct msa *m, const char *path)
{
    visit_others(m, path, 0, true);
}

void saves_remove_one(struct msa *m, const char *path, long n)
{
    unlink(saves_path(m, path, n));
    unlink(msa_format(m, "%s.%ld.tmp", path, n));
}
