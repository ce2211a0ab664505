/* A stage that fails tells those on both sides. */
#include "common/stage/stage.h"
#include <sys/stat.h>
#include <unistd.h>

/* Where a program failed before it had a stream (a bad option, say), those behind it are told all
 * the same. */
static void announce_without_stream(struct msa *m)
{
    struct stat status;
    if (!stage_to_stdout(m) || fstat(STDOUT_FILENO, &status) != 0 ||
        !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
        return;
    writer_error(writer_open(m, STDOUT_FILENO, "stdout"), m->program, m->error);
}

/* Tells the stages on both sides; `unheard`: also when no header has told yet where the stream
 * goes. */
static void tell(struct msa *m, bool unheard)
{
    struct stage *s = m->stream;
    bool heard = s && s->header;
    if (s && s->out)
        writer_error(s->out, m->program, m->error);
    else if (heard ? stage_passes(s) : unheard)
        announce_without_stream(m);
    if (s && s->previous)
        writer_error(s->previous, m->program, m->error);
    if (s && s->file)
        file_abandon(m, s->file);
}

void stage_at_fail(struct msa *m)
{
    tell(m, true);
}

void stage_at_fail_last(struct msa *m)
{
    tell(m, false);
}
