/* Commits. */
#include "common/stream/commit.h"
#include "common/run/content.h"
#include "common/run/file.h"
#include "common/stream/frame_fields.h"
#include "common/stream/prefix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COMMIT_HEADER = 1 << 28 }; /* bytes of H, at most */

/* ---- The commit ---- */

struct header *commit_header(const struct header *h)
{
    struct header *copy = msa_alloc(h->m, sizeof *copy);
    *copy = *h;
    copy->address[0] = '\0';
    copy->map = value_copy(h->m, h->zone, &h->map);
    value_remove(&copy->map, "resume");
    return copy;
}

void commit_write(struct msa *m, const char *path, const struct commit *commit)
{
    struct file *file = file_create(m, path);
    int fd = dup(file->fd);
    if (fd < 0)
        msa_fail_errno(m, "cannot write '%s'", path);
    struct writer *w = writer_open(m, fd, path);
    writer_checked(w);
    header_write(commit->header, w);
    control_write(&commit->control, w, FRAME_CONTROL);
    writer_end(w);
    writer_close(w);
    file_commit(m, file);
}

static bool begins_as_frame(const struct prefix *p, enum frame_kind kind)
{
    return p->magic[0] == PREFIX_MAGIC_0 && p->magic[1] == PREFIX_MAGIC_1 && p->kind == kind;
}

bool commit_resembles(struct msa *m, int fd, const char *path)
{
    struct prefix first = {0}, second;
    size_t found = content_start(m, fd, path, (uint8_t *)&first, sizeof first);
    if (found < sizeof first)
        return found >= sizeof first.magic && begins_as_frame(&first, first.kind);
    if (!begins_as_frame(&first, FRAME_HEADER) || first.length > COMMIT_HEADER)
        return false;
    size_t size = sizeof first + first.length + sizeof second;
    uint8_t *start = msa_alloc(m, size);
    bool cut = content_start(m, fd, path, start, size) < size;
    memcpy(&second, start + size - sizeof second, sizeof second);
    msa_free(m, start);
    return cut || begins_as_frame(&second, FRAME_CONTROL);
}

/* Only of this format is it known what is where. */
static void check_format(struct msa *m, const struct frame *f, const char *path)
{
    int64_t format = field_int(m, f, "format", 0, 0);
    if (format != COMMIT_FORMAT)
        msa_fail(m, MSA_USAGE,
                 "%s: a commit of format %jd but expected %d: another version has written it", path,
                 (intmax_t)format, COMMIT_FORMAT);
}

/* A number of C from 1 to `most`. */
static int64_t counted(struct msa *m, const struct frame *f, const char *key, int64_t most)
{
    int64_t n = field_int(m, f, key, 1, 0);
    if (n < 1 || n > most)
        frame_fail(m, f, NULL, "not the commit of a training: '%s' is %jd but expected 1 to %jd",
                   key, (intmax_t)n, (intmax_t)most);
    return n;
}

/* Each epoch has its steps, and each checkpoint has one at least. */
static void check_place(struct msa *m, const struct frame *f, const struct header *h)
{
    long steps = h->train ? header_training_steps(h) : 0;
    if (!steps)
        frame_fail(m, f, NULL, "not the commit of a training: it has no steps");
    counted(m, f, "epoch", h->epochs);
    counted(m, f, "checkpoint", counted(m, f, "step", steps));
}

static void expect(struct reader *in, struct frame *f, enum frame_kind kind, const char *path,
                   struct msa *m)
{
    reader_next(in, f);
    if (f->kind != kind)
        msa_fail(m, MSA_CORRUPT, "%s: not the commit of a training: kind '%c' but expected '%c'",
                 path, f->kind, kind);
}

struct opened {
    struct msa *m;
    const char *path;
};

static void cut_off(void *closure)
{
    const struct opened *o = closure;
    msa_fail(o->m, MSA_CORRUPT, "%s: the file was cut off", o->path);
}

struct reader *commit_open(struct msa *m, const char *path)
{
    struct opened *o = msa_alloc(m, sizeof *o);
    *o = (struct opened){m, path};
    struct reader *in = reader_open_path(m, path);
    reader_on_cut(in, cut_off, o);
    return in;
}

struct commit *commit_read(struct msa *m, const char *path)
{
    struct frame f;
    if (!file_exists(path))
        return NULL;
    struct commit *commit = msa_alloc(m, sizeof *commit);
    struct reader *in = commit_open(m, path);
    expect(in, &f, FRAME_HEADER, path, m);
    commit->header = header_parse(m, &f);
    frame_free(&f);
    expect(in, &f, FRAME_CONTROL, path, m);
    check_format(m, &f, path);
    check_place(m, &f, commit->header);
    commit->control = control_parse(m, &f);
    frame_free(&f);
    expect(in, &f, FRAME_END, path, m);
    reader_close(in);
    return commit;
}
