/* msa-metrics: the judge. Collects predictions, labels and losses of each split, and scores them
 * (msa-model(7), Metrics).
 *
 * Training: passes the stream on; at each control the rows go to stderr, to --log and, as M, down
 * the line, and the verdict (best, stop) into the control. Evaluation: the end of the line, which
 * prints a table; or -t. */
#include "common/metrics/assertions.h"
#include "common/metrics/early_stopping.h"
#include "common/metrics/predictions.h"
#include "common/metrics/scores_log.h"
#include "common/run/output_rules.h"
#include "common/stage/stage.h"
#include <string.h>

enum { FAMILY_AUTO = FAMILIES };

struct settings {
    bool pass, json, tsv, each;
    int family;
    const char *log, *select, *predictions, *from_tsv;
    long select_after, patience;
    struct option_list assertions;
};

struct metrics {
    struct msa *m;
    const struct settings *settings;
    struct stage *stage; /* NULL with --from-tsv */
    struct scores scores;
    bool started;                    /* has seen a record */
    struct scores_rows rows;         /* of a training */
    struct predictions *each, *kept; /* printed; with --predictions */
    struct judge judge;
    struct assertion *assertions; /* [settings->assertions.count] */
};

static const struct written written_log = {
    .what = "a log", .content = CONTENT_OTHER, .head = SCORES_LOG_HEAD};
static const struct written written_predictions = {
    .what = "predictions", .content = CONTENT_OTHER, .head = PREDICTIONS_HEAD};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {'t', "tee", NULL, OPTION_FLAG, FIELD(pass), NULL, 0, 0,
     .help = "pass the stream on, and write the table to standard error (in training always)"},
    {0, "json", NULL, OPTION_FLAG, FIELD(json), NULL, 0, 0,
     .help = "print one flat JSON object a split"},
    {0, "tsv", NULL, OPTION_FLAG, FIELD(tsv), NULL, 0, 0, .help = "print tab-separated columns"},
    {0, "each", NULL, OPTION_FLAG, FIELD(each), NULL, 0, 0,
     .help =
         "print no scores but predictions, a line for each sample: tab-separated, or JSON objects"},
    {0, "predictions", "FILE", OPTION_WRITES, FIELD(predictions), NULL, 0, 0,
     .help = "write predictions too, a line for each sample, tab-separated",
     .written = &written_predictions},
    {0, "assert", "KEY<NUMBER", OPTION_LIST, FIELD(assertions), NULL, 0, 0,
     .help = "fail unless this holds in every split; also with <=, > and >=; repeatable"},
    {0, "family", "sims|mosi|auto", OPTION_CHOICE, FIELD(family), "auto", 0, 0,
     .help = "which metrics to compute; auto: as the stream says"},
    {0, "from-tsv", "FILE", OPTION_READS, FIELD(from_tsv), NULL, 0, 0,
     .help = "judge the columns label and prediction (and split, if there) of a tab-separated FILE "
             "instead "
             "of a stream"},
    {0, "log", "FILE", OPTION_WRITES, FIELD(log), NULL, 0, 0,
     .help = "write a line an epoch and split, tab-separated: losses and metrics",
     .written = &written_log},
    {0, "select", "KEY", OPTION_TEXT, FIELD(select), NULL, 0, 0,
     .help =
         "metric or loss that decides on the valid split which checkpoint is the best; loss is the "
         "weighted sum"},
    {0, "select-after", "EPOCH", OPTION_INT, FIELD(select_after), "0", 0, 1e9,
     .help = "compare only checkpoints after this epoch"},
    {0, "patience", "N", OPTION_INT, FIELD(patience), NULL, 1, 1e9,
     .help = "stop training after N checkpoints without a better one"},
    {0},
};
#undef FIELD

/* ---- header ---- */

static bool passes(const struct stage *s)
{
    const struct metrics *x = s->self;
    return s->header->train || x->settings->pass;
}

/* An option that would do nothing here is a mistake. */
static void refuse(struct metrics *x, const char *option, bool given, const char *where)
{
    if (given)
        msa_fail(x->m, MSA_USAGE, "--%s %s", option, where);
}

static void check_options(struct metrics *x, bool train)
{
    const struct settings *s = x->settings;
    static const char training[] = "is for training, but nothing is trained here";
    static const char evaluation[] = "is for evaluation, but this stream is for training";
    refuse(x, "log", !train && s->log, training);
    refuse(x, "select", !train && s->select, training);
    refuse(x, "predictions", train && s->predictions, evaluation);
    refuse(x, "each", train && s->each, evaluation);
    refuse(x, "assert", train && s->assertions.count, evaluation);
    refuse(x, "json", train && s->json, evaluation);
    refuse(x, "tsv", train && s->tsv, evaluation);
}

/* NULL: standard output. */
static const char *result_path(const struct metrics *x)
{
    const char *path = x->m->common.output;
    return path && strcmp(path, "-") != 0 ? path : NULL;
}

/* What is known before the first step of a training that is to be judged. */
static void check_judgement(struct metrics *x, const struct header *h)
{
    if (header_samples(h, split_names[VALID]) == 0)
        msa_fail(x->m, MSA_CORRUPT,
                 "--select judges on the valid split, but the data set has no sample of it");
    if (h->epochs && x->settings->select_after >= h->epochs)
        msa_warn(x->m,
                 "--select-after %ld: none of %ld epochs comes after that, so none is compared and "
                 "the last is kept",
                 x->settings->select_after, h->epochs);
}

static void on_header(struct stage *s)
{
    struct metrics *x = s->self;
    const struct header *h = s->header;
    x->stage = s;
    check_options(x, h->train);
    if (!schema_floats(x->m, &h->schema, "y", 1))
        msa_fail(x->m, MSA_FAILED, "no 'y' arrives (does msa-predict stand before?)");
    x->scores.labelled = schema_floats(x->m, &h->schema, "label", 1);
    int family = x->settings->family;
    if (family == FAMILY_AUTO) /* may be unknown where there are no labels */
        family = x->scores.labelled || h->family[0] ? (int)family_named(x->m, h->family) : -1;
    if (x->scores.labelled)
        x->scores.family = (enum family)family;
    else if (!x->settings->each)
        msa_warn(x->m, "no labels arrive: there is nothing to judge against");
    if (family >= 0 && h->family[0] && strcmp(h->family, family_names[family]) != 0)
        msa_warn(x->m,
                 "--family %s, but the stream is of family %s: labels and predictions are on "
                 "different scales",
                 family_names[family], h->family);
    if (x->settings->each)
        x->each = predictions_create(x->m, result_path(x), x->settings->json, h, family);
    if (x->settings->predictions)
        x->kept = predictions_create(x->m, x->settings->predictions, false, h, family);
    if (x->settings->select)
        check_judgement(x, h);
    if (x->settings->select)
        x->judge.smaller = scores_smaller_is_better(&x->scores, x->settings->select);
}

/* ---- records ---- */

/* Options name keys that there must be; losses are known when the first samples are. */
static void check_keys(struct metrics *x)
{
    if (x->settings->select)
        scores_check_key(&x->scores, "select", x->settings->select);
    for (int i = 0; i < x->settings->assertions.count; i++)
        scores_check_key(&x->scores, "assert", x->assertions[i].key);
}

static void on_record(struct stage *s, struct record *r)
{
    struct metrics *x = s->self;
    const struct scores_split *p = scores_add_record(&x->scores, &s->header->schema, r);
    if (!x->started)
        check_keys(x);
    if (!x->started && s->log)
        scores_log_begin(&x->rows, s->log, &x->scores, s->header, r);
    x->started = true;
    if (x->each)
        predictions_write(x->each, &x->scores, p, r);
    if (x->kept)
        predictions_write(x->kept, &x->scores, p, r);
}

/* ---- a checkpoint of a training ---- */

/* Parameters that are not finite are never the best, whatever the numbers say and also where
 * nothing is selected. */
static struct verdict give_verdict(struct metrics *x, struct control *c)
{
    struct verdict v = {0};
    bool finite = value_bool(&c->map, "finite", true);
    if (finite && x->settings->select) {
        v = judge_scores(&x->judge, &x->scores, x->settings->select);
        value_set(x->m, c->zone, &c->map, "stop", value_of_bool(v.stop));
    }
    if (!finite || x->settings->select)
        value_set(x->m, c->zone, &c->map, "best", value_of_bool(v.best));
    return v;
}

/* In the middle of an epoch only validation is complete; the training split is gathered on. */
static void on_control(struct stage *s, struct control *c)
{
    struct metrics *x = s->self;
    bool epoch_done = value_bool(&c->map, "epoch_done", true);
    if (!s->header->train)
        return;
    scores_judge(&x->scores);
    struct verdict verdict = give_verdict(x, c);
    for (int i = 0; i < x->scores.count; i++) {
        struct scores_split *p = &x->scores.splits[i];
        if (!p->samples || (p->train && !epoch_done))
            continue;
        scores_warn(&x->scores, p);
        scores_row(&x->rows, &x->scores, p, verdict.best && !p->train);
        struct control message = scores_message(&x->scores, p);
        control_write(&message, s->out, FRAME_METRICS);
        control_free(&message);
        scores_forget(p);
    }
    if (verdict.stop && value_int(&c->map, "step", 0) < header_training_steps(s->header))
        judge_tell_stop(&x->judge, c, x->settings->select);
}

/* What the verdicts to come depend on, and what has been gathered of an epoch that is not over. */
static void save(struct stage *s, struct control *c, value *state)
{
    struct metrics *x = s->self;
    judge_save(&x->judge, c, state);
    scores_save(&x->scores, c, state);
}

static void restore(struct stage *s, const value *state)
{
    struct metrics *x = s->self;
    judge_restore(&x->judge, x->m, state);
    scores_restore(&x->scores, state);
}

/* ---- the result of an evaluation ---- */

static void print_result(struct metrics *x)
{
    const char *path = result_path(x);
    enum scores_format format = x->settings->json  ? SCORES_JSON
                                : x->settings->tsv ? SCORES_TSV
                                                   : SCORES_TABLE;
    if (x->stage && x->stage->out) {
        if (!x->m->common.quiet || format != SCORES_TABLE)
            scores_print(stderr, &x->scores, format);
    } else if (path) {
        struct file *file = file_create(x->m, path);
        scores_print(file_stream(x->m, file), &x->scores, format);
        file_commit(x->m, file);
    } else {
        scores_print(stdout, &x->scores, format);
        msa_flush(x->m, stdout, "stdout");
    }
}

static void conclude(struct metrics *x)
{
    size_t samples = 0;
    for (int i = 0; i < x->scores.count; i++)
        samples += x->scores.splits[i].samples;
    if (samples == 0)
        msa_fail(x->m, MSA_FAILED, "no samples arrived");
    scores_judge(&x->scores);
    for (int i = 0; i < x->scores.count; i++)
        scores_warn(&x->scores, &x->scores.splits[i]);
    if (!x->settings->each)
        print_result(x);
    assertions_check(&x->scores, x->assertions, x->settings->assertions.count);
}

static void on_end(struct stage *s)
{
    struct metrics *x = s->self;
    if (x->each)
        predictions_close(x->each);
    if (x->kept)
        predictions_close(x->kept);
    if (!s->header->train)
        conclude(x);
    else if (x->settings->select && x->started)
        judge_warn(&x->judge, x->m, x->settings->select);
}

/* ---- the program ---- */

static void score_file(struct metrics *x)
{
    const struct settings *s = x->settings;
    refuse(x, "from-tsv", x->m->operand_count,
           "takes the place of a stream: leave the operand out");
    refuse(x, "from-tsv", s->pass, "has no stream to pass on: leave -t out");
    refuse(x, "from-tsv", s->predictions, "reads predictions: leave --predictions out");
    refuse(x, "from-tsv", s->each, "reads predictions: leave --each out");
    refuse(x, "from-tsv", s->family == FAMILY_AUTO, "needs --family sims|mosi");
    check_options(x, false);
    x->scores.labelled = true;
    x->scores.family = (enum family)s->family;
    predictions_read(&x->scores, s->from_tsv);
    struct outside outside = scores_outside(&x->scores);
    outside_warn(&outside, x->m, s->from_tsv, x->scores.family);
    if (x->scores.count)
        check_keys(x);
    conclude(x);
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.joins = true,
                                         .passes = passes,
                                         .header = on_header,
                                         .record = on_record,
                                         .control = on_control,
                                         .end = on_end,
                                         .settings = "select,select-after,patience,family",
                                         .log = "log",
                                         .save = save,
                                         .restore = restore};
    struct metrics *x = msa_alloc(m, sizeof *x);
    const struct settings *s = m->settings;
    x->m = m;
    x->settings = s;
    x->scores.m = m;
    x->judge = (struct judge){.after = s->select_after, .patience = s->patience};
    x->assertions = msa_calloc(m, (size_t)s->assertions.count, sizeof *x->assertions);
    for (int i = 0; i < s->assertions.count; i++)
        x->assertions[i] = assertion_parse(m, s->assertions.values[i]);
    refuse(x, "each", s->each && s->pass, "prints where the stream would go: leave -t out");
    refuse(x, "json", s->json && s->tsv, "and --tsv exclude each other");
    refuse(x, "patience", s->patience && !s->select, "needs --select KEY");
    refuse(x, "select-after", s->select_after && !s->select, "needs --select KEY");
    if (s->from_tsv)
        score_file(x);
    else
        stage_run(m, &ops, x);
}

/* In training the stream goes on too, but into no file. */
static const struct written *output(const struct msa *m)
{
    return ((const struct settings *)m->settings)->pass ? &written_stream : &written_report;
}

static const struct example examples[] = {
    {"... | msa-predict -p predict.safetensors | msa-metrics", "a table of the metrics"},
    {"... | msa-metrics --json --assert 'mae<0.75' --assert 'corr>=0.6'",
     "JSON, and failure when it is not good enough"},
    {"... | msa-predict -p predict.safetensors | msa-metrics --each --json",
     "what is predicted for each sample: sentiment, class, and what each feature says by itself"},
    {"... | msa-loss | msa-gdwg | msa-metrics --select mae --patience 8 --log metrics.tsv | "
     "msa-backprop",
     "keep the parameters of the best epoch, and stop when none has been better for 8"},
    {"msa-metrics --from-tsv predictions.tsv --family mosi", "judge anyone's predictions"},
    {0},
};

static const struct program program = {
    .name = "msa-metrics",
    .summary = "judge predictions by the metrics of the field",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-predict(1), msa-loss(1), msa-backprop(1), msa-dump(1), msa-stream(5), msa(7)",
    .output = output,
    .run = run,
    .at_fail = stage_at_fail_last,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
