/* msa-dump: shows any stream at any point, a line a frame and tensor, or as JSON. With -t it stands
 * in a line and passes the stream on; in a training line it then joins the way back, and shows
 * gradients too. */
#include "common/cli/file.h"
#include "common/cli/option.h"
#include "common/stage.h"
#include "common/stream/show.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct settings {
    bool pass, values, json, pipeline;
    long records;
    const char *tensors, *report;
};

struct dump {
    struct msa *m;
    const struct settings *settings;
    struct show show;
    long records; /* shown so far */
    bool done;    /* all that was asked for has been shown */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {'t', "tee", NULL, OPTION_FLAG, FIELD(pass), NULL, 0, 0,
     "pass the stream on, and report to standard error; in a training line show gradients too"},
    {0, "report", "FILE", OPTION_TEXT, FIELD(report), NULL, 0, 0, "report to FILE"},
    {0, "values", NULL, OPTION_FLAG, FIELD(values), NULL, 0, 0,
     "print the numbers of tensors, a row a sample"},
    {0, "tensor", "LIST", OPTION_TEXT, FIELD(tensors), NULL, 0, 0,
     "show only the tensors of these names"},
    {0, "json", NULL, OPTION_FLAG, FIELD(json), NULL, 0, 0, "print one JSON object a frame"},
    {0, "pipeline", NULL, OPTION_FLAG, FIELD(pipeline), NULL, 0, 0,
     "print only who made the stream: each program, its version and its arguments"},
    {'n', "records", "N", OPTION_INT, FIELD(records), NULL, 1, 1e15, "stop after N records"},
    {0},
};
#undef FIELD

/* ---- The report ---- */

static void open_report(struct dump *d)
{
    const struct settings *s = d->settings;
    const char *path = s->report ? s->report : s->pass ? NULL : d->m->common.output;
    d->show = (struct show){.m = d->m, .tensors = s->tensors, .values = s->values};
    if (path && strcmp(path, "-") != 0)
        d->show.to = log_open(d->m, path, 0)->stream;
    else
        d->show.to = s->pass ? stderr : stdout;
}

/* What has been shown is there to be seen, however the run may end. */
static void flush(struct dump *d)
{
    errno = 0;
    if (fflush(d->show.to) == 0 && !ferror(d->show.to))
        return;
    if (errno == EPIPE)
        msa_fail(d->m, MSA_CLOSED, "the report is closed");
    msa_fail_errno(d->m, "cannot write the report");
}

static void show_pipeline(struct dump *d, const struct frame *f)
{
    if (d->settings->json)
        show_pipeline_json(&d->show, f);
    else
        show_pipeline_text(&d->show, f, "");
}

static void show_frame(struct dump *d, const struct frame *f, bool back)
{
    if (d->settings->pipeline)
        show_pipeline(d, f);
    else if (d->settings->json)
        show_json(&d->show, f, back);
    else
        show_text(&d->show, f, back);
    flush(d);
    d->records += f->kind == FRAME_DATA;
}

/* Gradients of the last record still belong to it. */
static bool is_done(const struct dump *d, bool back)
{
    bool enough = d->settings->records && d->records >= d->settings->records;
    return d->settings->pipeline || (enough && !back);
}

static void see(struct stage *s, const struct frame *f, bool back)
{
    struct dump *d = s->self;
    if (!d->done && f->kind != FRAME_HEADER)
        d->done = is_done(d, back);
    if (!d->done)
        show_frame(d, f, back);
}

/* ---- The end of a line ---- */

/* The line of a stage that failed is shown as its frame X is; nothing needs to be
 * said on stderr. */
static void show_all(struct dump *d)
{
    struct reader *in = stage_open_input(d->m);
    struct frame f;
    while (!d->done && reader_next(in, &f)) {
        show_frame(d, &f, false);
        if (f.kind == FRAME_ERROR)
            d->m->status = MSA_OTHER;
        frame_free(in, &f);
        d->done = is_done(d, false);
    }
    reader_close(in);
}

/* ---- The program ---- */

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.joins = true, .see = see};
    struct dump *d = msa_alloc(m, sizeof *d);
    d->m = m;
    d->settings = m->settings;
    open_report(d);
    if (d->settings->pass)
        stage_run(m, &ops, d);
    else
        show_all(d);
}

/* Only with -t is there anyone behind to be told. */
static void at_fail(struct msa *m)
{
    const struct settings *s = m->settings;
    if (s && s->pass)
        stage_at_fail(m);
}

static const struct example examples[] = {
    {"msa-load --split test data.pkl | msa-dump -n 1", "what the first record is like"},
    {"msa-dump --pipeline run/state.msa", "which line made this file"},
    {"... | msa-predict -p predict.safetensors | msa-dump --tensor y --values", "predictions"},
    {"... | msa-loss | msa-dump -t --report gradients.txt | msa-backprop",
     "look into a line while it trains"},
    {0},
};

static const struct program program = {
    .name = "msa-dump",
    .summary = "show what is in a stream",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-load(1), msa-metrics(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
