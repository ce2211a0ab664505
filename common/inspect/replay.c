/* Playing a recording. */
#include "common/inspect/replay.h"

/* ---- Before the stage ---- */

struct replay {
    struct stage stage;
    struct reader *in;
    struct recording_order order;
};

/* The recording was signed by the msa-dump that made it, and now is by the one that plays it: the
 * stages behind have the same numbers. */
static void take_signature(struct header *h)
{
    const value *found = value_get(&h->map, "pipeline");
    uint32_t count = found ? found->via.array.size : 0;
    if (!count || !value_equals(value_get(&found->via.array.ptr[count - 1], "name"), h->m->program))
        return;
    value shorter = *found;
    shorter.via.array.size--;
    value_set(h->m, h->zone, &h->map, "pipeline", shorter);
}

static void see(struct stage *s, const struct frame *f)
{
    if (s->ops->see)
        s->ops->see(s, f, false);
}

/* The program that failed has said why, but in another run. */
static _Noreturn void fail_as_recorded(struct msa *m, const struct frame *x)
{
    msa_warn(m, "%s ends with a failure: %s", x->from, frame_reason(m, x));
    frame_fail_other(m, x);
}

/* Reads the header, and opens the line with it. */
static void begin(struct replay *p, const struct stage_ops *ops, void *self)
{
    struct stage *s = &p->stage;
    struct msa *m = s->m;
    struct frame f;
    reader_next(p->in, &f);
    if (f.kind == FRAME_ERROR)
        fail_as_recorded(m, &f);
    *s = (struct stage){.m = m, .ops = ops, .self = self, .in = p->in};
    s->header = header_parse(m, &f);
    if (s->header->back)
        frame_fail(m, &f, NULL, "a header of mode 'back' on the way forward");
    see(s, &f);
    frame_free(&f);
    take_signature(s->header);
    if (ops->header)
        ops->header(s);
    stage_open_source(s, m, s->header);
    s->ops = ops;
    s->self = self;
}

/* An answer tells which frame it is to. */
static void check_step(struct msa *m, const struct frame *f, int64_t epoch, int64_t step)
{
    int64_t found_epoch = value_int(f->map, "epoch", 0), found = value_int(f->map, "step", 0);
    if (found_epoch != epoch || found != step)
        frame_fail(m, f, NULL, "epoch %jd, step %jd but expected %jd, %jd", (intmax_t)found_epoch,
                   (intmax_t)found, (intmax_t)epoch, (intmax_t)step);
}

/* Waits for what comes back now in answer to a frame that was sent. */
static void await(struct stage *s, enum frame_kind kind, const struct frame *sent)
{
    struct frame f;
    stage_await(s, kind, &f);
    check_step(s->m, &f, value_int(sent->map, "epoch", 0), value_int(sent->map, "step", 0));
    frame_free(&f);
}

static void play(struct replay *p, const struct frame *f)
{
    struct stage *s = &p->stage;
    bool came_back = recording_came_back(&p->order, f);
    if (f->kind == FRAME_ERROR)
        fail_as_recorded(s->m, f);
    if (came_back)
        return;
    see(s, f);
    if (f->kind == FRAME_END)
        return;
    frame_write(s->out, f);
    if (s->next && f->kind == FRAME_DATA && value_bool(f->map, "train", false))
        await(s, FRAME_GRADIENT, f);
    if (s->next && f->kind == FRAME_CONTROL)
        await(s, FRAME_CONTROL, f);
}

void replay_run(struct msa *m, const struct stage_ops *ops, void *self)
{
    struct replay *p = msa_alloc(m, sizeof *p);
    p->stage.m = m;
    p->in = stage_open_input(m);
    begin(p, ops, self);
    for (bool ended = false; !ended;) {
        struct frame f;
        reader_next(p->in, &f);
        ended = f.kind == FRAME_END;
        play(p, &f);
        frame_free(&f);
    }
    stage_end(&p->stage);
    if (ops->end)
        ops->end(&p->stage);
}

/* ---- Behind the stage ---- */

/* What the stage does comes first, so that its address is that of both. */
struct answers {
    struct stage_ops ops;
    void (*see)(struct stage *s, const struct frame *f, bool back); /* the program's */
    struct reader *in;
    struct recording_order order;
};

static bool never(const struct stage *s)
{
    (void)s;
    return false;
}

/* The next frame that came back; those that went forward are passed over. It must be of the same
 * step as what it answers. */
static void next_answer(struct stage *s, enum frame_kind kind, int64_t epoch, int64_t step,
                        struct frame *f)
{
    struct answers *a = (struct answers *)s->ops;
    for (;;) {
        reader_next(a->in, f);
        bool failed = f->kind == FRAME_ERROR;
        if (failed || f->kind == FRAME_END)
            msa_fail(s->m, MSA_FAILED, "%s: ends before the answer to step %jd of epoch %jd%s%s",
                     f->from, (intmax_t)step, (intmax_t)epoch, failed ? ": " : "",
                     failed ? frame_reason(s->m, f) : "");
        if (recording_came_back(&a->order, f))
            break;
        frame_free(f);
    }
    if (f->kind != kind)
        msa_fail(s->m, MSA_FAILED, "%s: frame %u: kind '%c' but the answer must be '%c'", f->from,
                 (unsigned)f->seq, f->kind, kind);
    check_step(s->m, f, epoch, step);
    s->ops->see(s, f, true);
}

static void on_turn(struct stage *s, const struct record *r, struct record *g)
{
    struct frame f;
    next_answer(s, FRAME_GRADIENT, r->epoch, r->step, &f);
    record_free(g);
    record_parse(s->m, g, &f);
}

static void on_control_back(struct stage *s, struct control *c)
{
    struct frame f;
    next_answer(s, FRAME_CONTROL, value_int(&c->map, "epoch", 0), value_int(&c->map, "step", 0),
                &f);
    c->map = value_copy(s->m, c->zone, f.map);
    frame_free(&f);
}

/* Where the line ends well the recording has to end, and well too: before the stage is told. */
static void check_rest(struct answers *a, struct msa *m)
{
    struct frame f;
    for (bool ended = false; !ended; frame_free(&f)) {
        reader_next(a->in, &f);
        ended = f.kind == FRAME_END;
        if (f.kind == FRAME_ERROR)
            msa_fail(m, MSA_FAILED, "%s: ends with a failure, where the line has ended well: %s",
                     f.from, frame_reason(m, &f));
        if (recording_came_back(&a->order, &f))
            msa_fail(m, MSA_FAILED, "%s: frame %u: an answer more than the line has asked for",
                     f.from, (unsigned)f.seq);
    }
}

static void see_answered(struct stage *s, const struct frame *f, bool back)
{
    struct answers *a = (struct answers *)s->ops;
    if (a->see)
        a->see(s, f, back);
    if (!back && f->kind == FRAME_END)
        check_rest(a, s->m);
}

void answer_run(struct msa *m, struct reader *answers, const struct stage_ops *ops, void *self)
{
    struct answers *a = msa_alloc(m, sizeof *a);
    *a = (struct answers){.ops = *ops, .see = ops->see, .in = answers};
    a->ops.see = see_answered;
    a->ops.passes = never;
    a->ops.turn = on_turn;
    a->ops.control_back = a->ops.answer = on_control_back;
    stage_run(m, &a->ops, self);
}
