/* The loop of a stage. */
#include "common/stage/stage.h"
#include "common/run/output_rules.h"
#include "common/stage/checkpoint.h"
#include "common/stream/body.h"
#include "common/stream/finite.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool stage_to_stdout(const struct msa *m)
{
    return !m->common.output || strcmp(m->common.output, "-") == 0;
}

/* The next program does not read: meanwhile a peer may come on the way back, or it is time to say
 * that none does. What a peer says is read in its turn. */
static void while_blocked(void *closure, int fd)
{
    struct stage *s = closure;
    bool said = back_ready(s->next);
    struct pollfd ends[2] = {{.fd = fd, .events = POLLOUT},
                             {.fd = said ? -1 : back_fd(s->next), .events = POLLIN}};
    poll(ends, 2, STAGE_PATIENCE);
}

static void open_output(struct stage *s)
{
    struct stat status;
    if (!stage_to_stdout(s->m))
        s->file = file_create(s->m, s->m->common.output);
    int fd = s->file ? s->file->fd : STDOUT_FILENO;
    if (s->header->train && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        msa_fail(s->m, MSA_FAILED,
                 "a training stream cannot go into a file: nobody there gives gradients back "
                 "(to keep features: msa-load --split train)");
    int own = s->file ? dup(fd) : fd; /* the file stays open when the writer closes */
    if (own < 0)
        msa_fail_errno(s->m, "cannot write '%s'", s->m->common.output);
    s->out = writer_open(s->m, own, s->file ? s->m->common.output : "stdout");
    if (s->header->train && (!s->ops || s->ops->joins)) {
        s->next = back_listen(s->m, s->out, s->header->address);
        writer_forgive(s->out);
        writer_on_wait(s->out, while_blocked, s);
    }
}

static void write_header(struct stage *s)
{
    header_sign(s->header);
    header_write(s->header, s->out);
    if (s->next)
        back_announced(s->next);
}

void stage_open_source(struct stage *s, struct msa *m, struct header *header)
{
    *s = (struct stage){.m = m, .header = header, .position = header_position(header) + 1};
    m->stream = s;
    open_output(s);
    write_header(s);
}

static void see(struct stage *s, const struct frame *f, bool back)
{
    if (s->ops && s->ops->see)
        s->ops->see(s, f, back);
}

/* What other programs of the line write is no place for this one's files. */
static void spare_files(struct stage *s)
{
    const char *file;
    if (!s->header->train)
        return;
    if ((file = value_text(s->header->zone, &s->header->map, "commit")))
        output_of_another(s->m, file);
    for (int i = 0; (file = header_parameters(s->header, i)); i++)
        output_check_checkpoints(s->m, file);
}

/* The first frame: a header, or the failure of a program that never came to write one. */
static void read_header(struct stage *s)
{
    struct frame f;
    reader_next(s->in, &f);
    if (f.kind == FRAME_HEADER) {
        s->header = header_parse(s->m, &f);
        spare_files(s); /* before anything is written */
    }
    see(s, &f, false);
    if (f.kind == FRAME_ERROR)
        frame_fail_other(s->m, &f);
    if (f.kind != FRAME_HEADER)
        msa_fail(s->m, MSA_CORRUPT, "frame 0: kind '%c' but expected 'H'", f.kind);
    frame_free(&f);
    if (s->header->back)
        msa_fail(s->m, MSA_CORRUPT, "frame 0: a header of mode 'back' on the way forward");
}

/* A source passes its stream on by nature. */
bool stage_passes(const struct stage *s)
{
    return !s->ops || !s->ops->passes || s->ops->passes(s);
}

static void begin(struct stage *s)
{
    bool goes_on = stage_passes(s);
    s->position = header_position(s->header) + 1;
    if (s->header->train && s->ops->joins) {
        if (!s->header->address[0])
            msa_fail(s->m, MSA_FAILED,
                     "a training stream without a return address: was it kept in a file? "
                     "(msa-dump --replay plays a recording)");
        s->previous = back_connect(s->m, s->header->address, !goes_on, s->in);
    }
    if (goes_on)
        open_output(s);
    if (s->ops->turn && s->header->train && s->header->surveyed && !s->ops->answer)
        msa_fail(s->m, MSA_FAILED,
                 "companions are to be found for samples (msa-load --group), but no stage finds "
                 "them: does msa-companions stand behind msa-encode?");
    if (s->ops->header)
        s->ops->header(s);
    checkpoint_resume(s);
    if (goes_on)
        write_header(s);
}

void stage_await(struct stage *s, enum frame_kind kind, struct frame *f)
{
    back_next(s->next, f);
    see(s, f, true);
    if (f->kind != kind)
        msa_fail(s->m, MSA_CORRUPT, "way back: frame %u: kind '%c' but expected '%c'",
                 (unsigned)f->seq, f->kind, kind);
}

struct control stage_await_control(struct stage *s)
{
    struct frame f;
    stage_await(s, FRAME_CONTROL, &f);
    struct control c = control_parse(s->m, &f);
    frame_free(&f);
    return c;
}

/* The gradient of a training record: from the next stage, or made here. */
static void take_back(struct stage *s, const struct record *r)
{
    struct record g;
    if (s->next) {
        struct frame f;
        stage_await(s, FRAME_GRADIENT, &f);
        record_parse(s->m, &g, &f);
        if (g.epoch != r->epoch || g.step != r->step)
            frame_fail(s->m, &g.frame, NULL, "epoch %jd, step %jd but expected %jd, %jd",
                       (intmax_t)g.epoch, (intmax_t)g.step, (intmax_t)r->epoch, (intmax_t)r->step);
    } else {
        record_new(s->m, &g);
        s->ops->turn(s, r, &g);
    }
    record_check_finite(&g, r, !s->next);
    if (s->ops->gradient) {
        s->ops->gradient(s, &g);
        record_check_finite(&g, r, true);
    }
    record_write(&g, s->previous, FRAME_GRADIENT);
    if (s->ops->update)
        s->ops->update(s, &g);
    record_free(&g);
}

static void on_record(struct stage *s, struct frame *f)
{
    struct record r;
    record_parse(s->m, &r, f);
    record_check_finite(&r, &r, false);
    bool surveyed = s->ops->survey && record_is_survey(&r);
    if (surveyed)
        s->ops->survey(s, &r);
    else if (s->ops->record) {
        s->ops->record(s, &r);
        record_check_finite(&r, &r, true);
    }
    if (s->out && !surveyed)
        record_write(&r, s->out, FRAME_DATA);
    if (s->previous && r.train)
        take_back(s, &r);
    record_free(&r);
}

/* Passes it on, and what comes of it back; nothing is saved. */
static void on_survey(struct stage *s, struct control *c)
{
    if (s->ops->answer)
        s->ops->answer(s, c);
    else if (s->out)
        control_write(c, s->out, FRAME_CONTROL);
    if (s->next && !s->ops->answer) {
        control_free(c);
        *c = stage_await_control(s);
    }
    if (s->previous)
        control_write(c, s->previous, FRAME_CONTROL);
    control_free(c);
}

static void on_control(struct stage *s, struct frame *f)
{
    struct control c = control_parse(s->m, f);
    frame_free(f);
    if (control_is_survey(&c)) {
        on_survey(s, &c);
        return;
    }
    if (s->ops->control)
        s->ops->control(s, &c);
    if (!s->ops->joins) /* it will not see the control again */
        checkpoint_save(s, &c);
    if (s->out)
        control_write(&c, s->out, FRAME_CONTROL);
    if (s->next) {
        control_free(&c);
        c = stage_await_control(s);
    }
    if (s->previous) {
        if (s->ops->control_back)
            s->ops->control_back(s, &c);
        checkpoint_save(s, &c);
        control_write(&c, s->previous, FRAME_CONTROL);
        s->checkpointed = true;
    }
    control_free(&c);
}

/* More records to train on than STAGE_AHEAD, or what comes when they are answered, tell that
 * msa-load has taken a gradient. There is none where nothing is trained (msa-load --check). */
static void note_standing(struct stage *s, const struct frame *f)
{
    if (s->stands)
        return;
    s->records += f->kind == FRAME_DATA && value_bool(f->map, "train", false);
    bool answered = s->records && (f->kind == FRAME_CONTROL || f->kind == FRAME_END);
    s->stands = s->records > STAGE_AHEAD || answered;
    if (s->stands && s->log)
        log_begin(s->m, s->log);
    if (s->stands && s->ops->stands)
        s->ops->stands(s);
}

/* Where gradients can no longer be given back the stage before has failed, which the next frames
 * say; or it takes them from another program, which reads the same stream. */
static void note_unheard(struct stage *s, const struct frame *f)
{
    bool trains = f->kind == FRAME_DATA && value_bool(f->map, "train", false);
    if (!s->previous || !writer_broken(s->previous) || !trains)
        return;
    if (++s->unheard > STAGE_AHEAD)
        msa_fail(s->m, MSA_FAILED,
                 "the stage before does not take gradients from here: does another program read "
                 "the same stream?");
}

/* After a control msa-load sends nothing before it has committed the checkpoint; but a failure may
 * come from anywhere. */
static void note_commit(struct stage *s, const struct frame *f)
{
    if (!s->checkpointed || f->kind == FRAME_ERROR)
        return;
    s->checkpointed = false;
    if (s->ops->committed)
        s->ops->committed(s);
}

static void pass_on(struct stage *s, struct frame *f)
{
    if (s->out) {
        struct body *b = body_begin(s->out);
        body_value(b, f->map);
        body_write(s->out, b, f->kind);
    }
    frame_free(f);
}

void stage_end(struct stage *s)
{
    if (s->next)
        back_await_peer(s->next);
    if (s->out)
        writer_end(s->out);
    if (s->next) {
        struct frame f;
        stage_await(s, FRAME_END, &f);
        frame_free(&f);
    }
    if (s->previous)
        writer_end(s->previous);
    if (s->file)
        file_commit(s->m, s->file);
    s->file = NULL;
}

static void one_frame(struct stage *s, struct frame *f)
{
    switch (f->kind) {
    case FRAME_DATA:
        on_record(s, f);
        break;
    case FRAME_CONTROL:
        on_control(s, f);
        break;
    case FRAME_METRICS:
        pass_on(s, f);
        break;
    case FRAME_END:
        frame_free(f);
        stage_end(s);
        if (s->log)
            log_close(s->m, s->log);
        s->log = NULL;
        if (s->ops->end)
            s->ops->end(s);
        break;
    case FRAME_ERROR:
        frame_fail_other(s->m, f);
        break;
    default:
        msa_fail(s->m, MSA_CORRUPT, "frame %u: kind '%c' on the way forward", (unsigned)f->seq,
                 f->kind);
    }
}

struct reader *stage_open_input(struct msa *m)
{
    return reader_open_path(m, m->operand_count ? m->operands[0] : "-");
}

/* The end of a training line has no use but with what stands before it: where not a byte came from
 * there, a program has failed, and said why. */
static void nothing_came(void *closure)
{
    struct stage *s = closure;
    if (!reader_started(s->in))
        msa_fail(s->m, MSA_OTHER, "%s: no stream", s->m->program);
}

/* Waits for a frame. A stage that is not told on a way back looks whether anybody reads on, so that
 * those before it are not left waiting. */
static void wait_for_input(struct stage *s)
{
    struct pollfd ends[2] = {{.fd = reader_fd(s->in), .events = POLLIN}, {.fd = STDOUT_FILENO}};
    if (!s->out || s->next || s->file || reader_buffered(s->in))
        return;
    while (poll(ends, 2, -1) < 0 && errno == EINTR)
        ;
    if (!ends[0].revents && ends[1].revents & (POLLERR | POLLHUP))
        msa_fail(s->m, MSA_CLOSED, "stdout is closed");
}

void stage_run(struct msa *m, const struct stage_ops *ops, void *self)
{
    struct stage *s = msa_alloc(m, sizeof *s);
    *s = (struct stage){.m = m, .ops = ops, .self = self};
    m->stream = s;
    s->in = stage_open_input(m);
    if (ops->turn && m->operand_count == 0)
        reader_on_cut(s->in, nothing_came, s);
    read_header(s);
    begin(s);
    for (bool ended = false; !ended;) {
        struct frame f;
        wait_for_input(s);
        reader_next(s->in, &f);
        ended = f.kind == FRAME_END;
        see(s, &f, false);
        note_standing(s, &f);
        note_commit(s, &f);
        note_unheard(s, &f);
        one_frame(s, &f);
    }
}
