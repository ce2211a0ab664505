/* msa-dump: shows any stream at any point, a line a frame and tensor, or as JSON. With -t it stands
 * in a line and passes the stream on; in a training line it then joins the way back, and shows
 * gradients too. What it sees it also records, replays, compares, searches and writes as arrays:
 * each of these is a file of its own below common/. */
#include "common/formats/npy.h"
#include "common/inspect/compare_files.h"
#include "common/inspect/find_nonfinite.h"
#include "common/inspect/replay.h"
#include "common/inspect/show.h"
#include "common/run/file.h"
#include "common/run/log.h"
#include "common/run/output_rules.h"
#include <string.h>

enum { WHERE_ALL, WHERE_NONFINITE };

struct settings {
    bool pass, values, json, pipeline, replay, diff;
    int where;
    long records;
    double tolerance;
    const char *tensors, *report, *record, *answer, *npy;
};

struct dump {
    struct msa *m;
    const struct settings *settings;
    struct show show;   /* to NULL until there is something to show in a file */
    const char *path;   /* of that file; NULL: it is none */
    struct log *report; /* the same, once it is open */
    bool quiet;         /* there is something else to do: no report */
    struct where where;
    struct writer *recording; /* NULL: none */
    struct compare *compare;  /* of --diff */
    uint64_t frames;          /* seen so far, in both directions */
    uint64_t met;             /* of the tensors that were named (option_meets) */
    long records;             /* shown so far */
    bool done;                /* all that was asked for has been shown */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {'t', "tee", NULL, OPTION_FLAG, FIELD(pass), NULL, 0, 0,
     .help =
         "pass the stream on, and report to standard error; in a training line show gradients too"},
    {0, "report", "FILE", OPTION_WRITES, FIELD(report), NULL, 0, 0, .help = "report to FILE",
     .written = &written_report},
    {0, "values", NULL, OPTION_FLAG, FIELD(values), NULL, 0, 0,
     .help = "print the numbers of tensors, a row a sample"},
    {0, "tensor", "LIST", OPTION_TEXT, FIELD(tensors), NULL, 0, 0,
     .help = "show only the tensors of these names"},
    {0, "json", NULL, OPTION_FLAG, FIELD(json), NULL, 0, 0,
     .help = "print one JSON object a frame"},
    {0, "pipeline", NULL, OPTION_FLAG, FIELD(pipeline), NULL, 0, 0,
     .help = "print only who made the stream: each program, its version and its arguments"},
    {'n', "records", "N", OPTION_INT, FIELD(records), NULL, 1, 1e15,
     .help = "stop after N records"},
    {0, "where", "all|nonfinite", OPTION_CHOICE, FIELD(where), "all", 0, 0,
     .help = "what to print: all frames, or only the first NaN or infinity, and exit with 1 if "
             "there is "
             "one"},
    {0, "npy", "DIR", OPTION_FOLDER, FIELD(npy), NULL, 0, 0,
     .help = "write each tensor of each record and gradient to a file of NumPy's in DIR"},
    {0, "record", "FILE", OPTION_WRITES, FIELD(record), NULL, 0, 0,
     .help = "keep all frames that go by, in both directions, as a stream in FILE "
             "(with -t, --replay or --answer)",
     .written = &written_stream},
    {0, "replay", NULL, OPTION_FLAG, FIELD(replay), NULL, 0, 0,
     .help = "play a recording to the next stage, as if what made it were at work"},
    {0, "answer", "FILE", OPTION_READS, FIELD(answer), NULL, 0, 0,
     .help = "end a training line: answer it with what came back in the recording FILE"},
    {0, "diff", NULL, OPTION_FLAG, FIELD(diff), NULL, 0, 0,
     .help = "compare two streams or two parameter files, and exit with 1 if they differ"},
    {0, "tolerance", "X", OPTION_REAL, FIELD(tolerance), "0", 0, 1e300,
     .help = "with --diff: numbers a and b are equal when |a-b| is at most X times the largest of "
             "1, |a| "
             "and |b|"},
    {0},
};
#undef FIELD

/* Else -o FILE is the report. */
static bool writes_stream(const struct settings *s)
{
    return s->pass || s->replay;
}

/* ---- The report ---- */

/* Where there is something else to do there is a report only if it is asked for. In a line its file
 * is opened with the header, which says whose files there are. */
static void open_report(struct dump *d)
{
    const struct settings *s = d->settings;
    bool streams = writes_stream(s);
    const char *path = s->report ? s->report : streams ? NULL : d->m->common.output;
    bool in_line = streams || s->answer;
    d->show = (struct show){.m = d->m,
                            .tensors = s->tensors,
                            .values = s->values,
                            .json = s->json,
                            .pipeline = s->pipeline};
    d->where = (struct where){.m = d->m, .tensors = s->tensors};
    d->quiet = !path && (s->record || s->npy || s->replay || s->answer);
    if (!path || strcmp(path, "-") == 0) {
        d->show.to = streams ? stderr : stdout;
        return;
    }
    d->path = path;
    d->report = in_line ? NULL : log_open(d->m, path, 0);
}

/* What was in the file before goes now, and not where nothing could be read. */
static void begin_report(struct dump *d)
{
    if (d->show.to)
        return;
    if (!d->report)
        d->report = log_open(d->m, d->path, 0);
    log_begin(d->m, d->report);
    d->show.to = d->report->stream;
}

static void end_report(struct dump *d)
{
    if (!d->report)
        return;
    d->show.to = NULL;
    log_close(d->m, d->report);
}

/* Only the first that is found is shown. */
static void search_frame(struct dump *d, const struct frame *f, bool back)
{
    d->done = where_nonfinite(&d->where, d->show.to, f, back);
    if (d->done)
        d->m->status = MSA_FAILED;
}

static void write_arrays(struct dump *d, const struct frame *f)
{
    struct tensor tensors[RECORD_TENSORS];
    int count = show_tensors(&d->show, f, tensors);
    for (int i = 0; i < count; i++)
        npy_write(d->m, d->settings->npy, d->frames, (char)f->kind, &tensors[i]);
}

static void report_frame(struct dump *d, const struct frame *f, bool back)
{
    if (d->settings->npy)
        write_arrays(d, f);
    begin_report(d);
    if (d->settings->where == WHERE_NONFINITE)
        search_frame(d, f, back);
    else if (!d->quiet)
        show_frame(&d->show, f, back);
    show_flush(&d->show);
    d->records += f->kind == FRAME_DATA;
}

/* Gradients of the last record still belong to it. */
static bool is_done(const struct dump *d, bool back)
{
    bool enough = d->settings->records && d->records >= d->settings->records;
    return d->done || d->settings->pipeline || (enough && !back);
}

/* A name that no frame has is a mistake, most likely. */
static void note_names(struct dump *d, const struct frame *f)
{
    const value *all = value_get(f->map, "tensors");
    bool known = d->settings->tensors && all && all->type == MSGPACK_OBJECT_MAP;
    for (uint32_t i = 0; known && i < all->via.map.size; i++) {
        char name[BODY_KEY + 1];
        option_meets(d->settings->tensors, value_key(all, i, name), &d->met);
    }
}

static void warn_of_names(struct dump *d)
{
    const char *list = d->settings->tensors;
    const char *unmet = list ? option_unmet(d->m, list, d->met) : NULL;
    if (unmet && d->m->status == MSA_OK && !d->settings->pipeline)
        msa_warn(d->m, "--tensor: no frame has %s", unmet);
}

static void look(struct dump *d, const struct frame *f, bool back)
{
    note_names(d, f);
    if (d->recording)
        recording_add(d->recording, f);
    if (f->kind != FRAME_HEADER)
        d->done = is_done(d, back);
    if (!d->done)
        report_frame(d, f, back);
    where_check(&d->where, f, back);
    d->frames++;
}

/* ---- In a line ---- */

static void see(struct stage *s, const struct frame *f, bool back)
{
    look(s->self, f, back);
}

static void on_header(struct stage *s)
{
    struct dump *d = s->self;
    const struct settings *set = d->settings;
    if (set->answer && !s->header->train)
        msa_fail(d->m, MSA_FAILED, "the stream is for evaluation: there is nothing to answer");
    if (set->record)
        d->recording = recording_create(d->m, set->record, s->header);
}

static void on_end(struct stage *s)
{
    struct dump *d = s->self;
    struct writer *recording = d->recording;
    d->recording = NULL;
    if (recording)
        recording_close(d->m, recording, d->settings->record);
}

/* ---- The end of a line ---- */

/* The line of a stage that failed is shown as its frame X is; nothing needs to be
 * said on stderr. */
static void show_all(struct dump *d)
{
    struct reader *in = stage_open_input(d->m);
    struct recording_order order = {0};
    struct frame f;
    while (!d->done && reader_next(in, &f)) {
        look(d, &f, recording_came_back(&order, &f));
        if (f.kind == FRAME_ERROR)
            d->m->status = MSA_OTHER;
        d->done = is_done(d, recording_gradient_follows(&order, &f));
        frame_free(&f);
    }
    reader_close(in);
}

/* ---- Two files ---- */

static void show_differences(struct dump *d)
{
    struct msa *m = d->m;
    const struct settings *s = d->settings;
    d->compare = compare_new(m, (struct compare_choice){.tolerance = s->tolerance,
                                                        .tensors = s->tensors,
                                                        .records = s->records});
    m->stream = d; /* at a failure what has been found so far is shown */
    compare_files(d->compare, m, m->operands[0], m->operands[1]);
    begin_report(d);
    compare_report(d->compare, d->show.to, m->common.verbose, m->common.quiet);
    show_flush(&d->show);
    if (!compare_equal(d->compare))
        m->status = MSA_FAILED;
}

/* ---- The program ---- */

static void check_options(struct msa *m, const struct settings *s)
{
    int roles = s->pass + s->replay + (s->answer != NULL) + s->diff;
    if (roles > 1)
        msa_fail(m, MSA_USAGE, "-t, --replay, --answer and --diff exclude each other");
    if (s->answer && strcmp(s->answer, m->operand_count ? m->operands[0] : "-") == 0)
        msa_fail(m, MSA_USAGE, "--answer '%s' is the stream that is to be answered", s->answer);
    if (s->record && (!roles || s->diff))
        msa_fail(m, MSA_USAGE, "--record needs -t, --replay or --answer");
    if (s->diff != (m->operand_count == 2))
        msa_fail(m, MSA_USAGE, "two files go with --diff, and --diff with two files");
    if (s->tolerance > 0 && !s->diff)
        msa_fail(m, MSA_USAGE, "--tolerance goes with --diff");
    if (s->diff && (s->where != WHERE_ALL || s->npy))
        msa_fail(m, MSA_USAGE, "--diff goes neither with --where nor with --npy");
    if ((s->json || s->values || s->pipeline) && (s->diff || s->where != WHERE_ALL))
        msa_fail(m, MSA_USAGE,
                 "--diff and --where print lines of their own: leave --json, --values and "
                 "--pipeline out");
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {
        .joins = true, .header = on_header, .see = see, .end = on_end};
    struct dump *d = msa_alloc(m, sizeof *d);
    const struct settings *s = d->settings = m->settings;
    d->m = m;
    check_options(m, s);
    open_report(d);
    if (s->npy)
        npy_folder(m, s->npy);
    if (s->diff)
        show_differences(d);
    else if (s->replay)
        replay_run(m, &ops, d);
    else if (s->answer)
        answer_run(m, reader_open_path(m, s->answer), &ops, d);
    else if (s->pass)
        stage_run(m, &ops, d);
    else
        show_all(d);
    if (!s->diff) /* which has said it */
        warn_of_names(d);
    end_report(d);
}

/* What has been recorded or found is there, and those on both sides are told. */
static void at_fail(struct msa *m)
{
    const struct settings *s = m->settings;
    struct dump *d = !s || !m->stream ? NULL
                     : s->diff        ? m->stream
                                      : ((struct stage *)m->stream)->self;
    if (d && d->recording)
        writer_error(d->recording, m->program, m->error);
    if (d && d->compare && d->show.to) {
        compare_report(d->compare, d->show.to, false, true);
        fflush(d->show.to);
    }
    if (s && (s->pass || s->replay))
        stage_at_fail(m);
    else if (s && s->answer)
        stage_at_fail_last(m);
}

static const struct written *output(const struct msa *m)
{
    return writes_stream(m->settings) ? &written_stream : &written_report;
}

static const struct example examples[] = {
    {"msa-load --split test data.pkl | msa-dump -n 1", "what the first record is like"},
    {"msa-dump --pipeline run/state.msa", "which line made this file"},
    {"... | msa-predict -p predict.safetensors | msa-dump --tensor y --values", "predictions"},
    {"... | msa-loss | msa-dump -t --report gradients.txt | msa-backprop",
     "look into a line while it trains"},
    {"msa-dump --diff one.msa other.msa", "what two streams differ in"},
    {"msa-dump --replay in.msa | msa-encode -p new.safetensors | msa-dump --answer out.msa",
     "train one stage alone, on what msa-dump -t --record has kept before and after it"},
    {0},
};

static const struct program program = {
    .name = "msa-dump",
    .summary = "show, keep, replay and compare streams",
    .operands = "[FILE [OTHER]]",
    .max_operands = 2,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-load(1), msa-metrics(1), msa-stream(5), msa(7)",
    .output = output,
    .run = run,
    .at_fail = at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
