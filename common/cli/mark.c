/* Files that are to stay as they are. */
#include "common/cli/mark.h"
#include "common/cli/target.h"

#include <string.h>

struct mark mark_of(struct msa *m, const char *path)
{
    struct target t = target_of(m, path);
    struct mark mark = {0};
    if (t.plain && t.exists)
        mark = (struct mark){path, t.status.st_dev, t.status.st_ino, t.status.st_size,
                             t.status.st_mtim};
    target_free(m, &t);
    return mark;
}

void mark_check(struct msa *m, const struct mark *mark)
{
    struct mark now = mark->path ? mark_of(m, mark->path) : *mark;
    bool one = now.device == mark->device && now.inode == mark->inode;
    if (!now.path != !mark->path || now.length != mark->length ||
        (!one && memcmp(&now.modified, &mark->modified, sizeof now.modified) != 0))
        msa_fail(m, MSA_FAILED, "'%s' was removed, replaced or changed during the training",
                 mark->path);
}
