/* Files that are to stay as they are. */
#include "common/run/mark.h"
#include "common/run/target.h"

#include <string.h>

struct mark mark_of(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    struct mark mark = {0};
    if (t.plain && t.exists)
        mark = (struct mark){path, t.status};
    target_free(m, &t);
    return mark;
}

void mark_check(struct msa *m, const struct mark *mark)
{
    struct mark now = mark->path ? mark_of(m, mark->path) : *mark;
    const struct stat *is = &now.status, *was = &mark->status;
    if (!now.path != !mark->path || is->st_size != was->st_size ||
        (!target_one_inode(is, was) &&
         memcmp(&is->st_mtim, &was->st_mtim, sizeof is->st_mtim) != 0))
        msa_fail(m, MSA_FAILED, "'%s' was removed, replaced or changed during the training",
                 mark->path);
}
