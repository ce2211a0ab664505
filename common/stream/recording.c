/* Recordings. */
#include "common/stream/recording.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool recording_came_back(struct recording_order *o, enum frame_kind kind)
{
    bool back = kind == FRAME_GRADIENT || (kind == FRAME_CONTROL && o->asked);
    o->asked = kind == FRAME_CONTROL && !back;
    return back;
}

void recording_spare(struct msa *m, const char *path, const struct reader *in)
{
    struct stat target, source;
    if (stat(path, &target) == 0 && fstat(reader_fd(in), &source) == 0 && S_ISREG(target.st_mode) &&
        target.st_dev == source.st_dev && target.st_ino == source.st_ino)
        msa_fail(m, MSA_USAGE, "--record '%s' would destroy what is being read", path);
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

struct writer *recording_create(struct msa *m, const char *path, const struct header *h)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        msa_fail_errno(m, "cannot write '%s'", path);
    struct writer *w = writer_open(m, fd, path);
    if (ends_in(path, ".gz"))
        writer_gzip(w);
    struct header copy =
        *h; /* the line's own goes on with its address, and is signed in its turn */
    copy.address[0] = '\0';
    header_sign(&copy);
    header_write(&copy, w);
    return w;
}

void recording_add(struct writer *w, const struct frame *f)
{
    if (f->kind != FRAME_HEADER && f->kind != FRAME_END && f->kind != FRAME_ERROR)
        frame_write(w, f);
}
