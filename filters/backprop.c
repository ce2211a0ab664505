/* msa-backprop: the end of a training line. Weights and adds the gradients of the tasks, and sends
 * them back with the step's learning rate and the optimizer's settings, so that these are said
 * once. */
#include "common/dataset/dataset.h"
#include "common/metrics/tasks.h"
#include "common/nn/optimizer.h"
#include "common/nn/plateau.h"
#include "common/run/output_rules.h"
#include "common/stage/stage.h"
#include "common/stream/finite.h"
#include "common/stream/resume.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct settings {
    double lr, warmup, decay, beta1, beta2, eps, momentum, clip;
    long accumulate, patience;
    int schedule, optimizer, clip_at;
    bool amsgrad;
    const char *no_decay, *log;
};

enum { SCHEDULE_LINEAR, SCHEDULE_CONSTANT, SCHEDULE_PLATEAU };
enum { LINE = LOG_HEAD /* bytes */ };

/* The weighted sum of gradients by one tensor. */
struct sum {
    char name[TENSOR_NAME + 1];
    float *data;
    size_t capacity;
};

struct backprop {
    struct msa *m;
    const struct settings *settings;
    bool started;           /* has seen a record */
    bool warned;            /* of a loss that is not finite */
    long steps;             /* of the whole training */
    int64_t done;           /* steps, as the last record told; it begins with 0 */
    struct plateau plateau; /* its rate falls with --schedule plateau alone */
    int64_t kept;           /* the checkpoint whose parameters stages keep as FILE; 0: none yet */
    struct tasks tasks;     /* that have columns in the log */
    struct sum sums[RECORD_TENSORS];
};

/* Losses and weights are between these. */
static const char first_columns[] = "epoch\tstep\tlr", last_column[] = "total";
static const struct written written_log = {
    .what = "a log", .content = CONTENT_OTHER, .head = first_columns, .column = last_column};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "lr", "X", OPTION_REAL, FIELD(lr), "1e-4", 0, 1e3, .help = "learning rate after warm-up"},
    {0, "warmup", "EPOCHS", OPTION_REAL, FIELD(warmup), "1", 0, 1e6,
     .help = "epochs over which the learning rate rises from 0, step by step"},
    {0, "schedule", "linear|constant|plateau", OPTION_CHOICE, FIELD(schedule), "linear", 0, 0,
     .help = "after warm-up: fall to 0 at the end, stay, or fall to a tenth when the loss of "
             "validation "
             "does not"},
    {0, "patience", "P", OPTION_INT, FIELD(patience), "10", 0, 1e9, .added = true,
     .help = "bear P checkpoints without a lower loss before the rate falls (plateau)"},
    {0, "accumulate", "N", OPTION_INT, FIELD(accumulate), "1", 1, 1e9, .added = true,
     .help =
         "add up the gradients of N records of an epoch, or of what is left of it, for an update"},
    {0, "clip-value", "X", OPTION_REAL, FIELD(clip), NULL, 1e-30, 1e30, .added = true,
     .help = "cut each number of the gradients by parameters, as added up so far, to from -X to X"},
    {0, "clip-at", "batch|update", OPTION_CHOICE, FIELD(clip_at), "batch", 0, 0, .added = true,
     .help = "cut after each record, or only before an update"}, /* the order of enum clip_at */
    {0, "optimizer", "adamw|adam|hf-adamw|sgd", OPTION_CHOICE, FIELD(optimizer), "adamw", 0, 0,
     .help = "rule by which parameters are updated"}, /* the order of enum rule */
    {0, "amsgrad", NULL, OPTION_FLAG, FIELD(amsgrad), NULL, 0, 0,
     .help = "divide by the largest second moment so far (adamw, adam)"},
    {0, "momentum", "X", OPTION_REAL, FIELD(momentum), "0", 0, 0.999999,
     .help = "keep this share of the last step's direction (sgd)"},
    {0, "decay", "X", OPTION_REAL, FIELD(decay), "1e-3", 0, 1e3,
     .help = "weight decay; decoupled (adamw, hf-adamw), or added to the gradient (adam, sgd)"},
    {0, "no-decay", "LIST", OPTION_WORDS, FIELD(no_decay), "bias", 0, 0,
     .help =
         "parameters whose names contain one of these words do not decay (comma-separated); a word "
         "with a * is a pattern for the whole name"},
    {0, "beta1", "X", OPTION_REAL, FIELD(beta1), "0.9", 0, 0.999999,
     .help = "decay of the first moment"},
    {0, "beta2", "X", OPTION_REAL, FIELD(beta2), "0.999", 0, 0.99999999,
     .help = "decay of the second moment"},
    {0, "eps", "X", OPTION_REAL, FIELD(eps), "1e-8", 1e-30, 1,
     .help = "added to the second moment's root"},
    {0, "log", "FILE", OPTION_WRITES, FIELD(log), NULL, 0, 0,
     .help =
         "write a line for each training step, tab-separated: learning rate, losses, weights and "
         "their weighted sum",
     .written = &written_log},
    {0},
};
#undef FIELD

/* --- gradients --- */

/* The sum for NAME, emptied if this is the record's first gradient by it. */
static struct sum *sum_for(struct backprop *b, struct record *g, const char *name, size_t length,
                           const struct tensor *like)
{
    struct sum *s = b->sums;
    while (s->name[0] && (strncmp(s->name, name, length) != 0 || s->name[length]))
        if (++s == b->sums + RECORD_TENSORS)
            msa_fail(b->m, MSA_CORRUPT, "gradients by more than %d tensors", RECORD_TENSORS);
    memcpy(s->name, name, length);
    if (record_find(g, s->name))
        return s;
    if (s->capacity < like->count) {
        s->data = msa_realloc(b->m, s->data, like->count * sizeof(float));
        s->capacity = like->count;
    }
    memset(s->data, 0, like->count * sizeof(float));
    record_put(b->m, g, tensor_of(s->name, F4, s->data, like->rank, like->shape));
    return s;
}

/* Adds weight x NAME@TASK to the gradient by NAME. */
static void add_one(struct backprop *b, const struct record *r, struct record *g,
                    const struct tensor *t)
{
    const char *at = strchr(t->name, '@');
    char found[128], expected[128];
    const struct tensor *base;
    if (!at || at == t->name)
        return;
    float weight = (float)value_real(value_get(&r->map, "weight"), at + 1, 1);
    struct sum *sum = sum_for(b, g, t->name, (size_t)(at - t->name), t);
    base = record_find(g, sum->name);
    if (t->dtype != F4 || !tensor_same_shape(t->rank, t->shape, base->rank, base->shape))
        frame_fail(b->m, &r->frame, t->name, "%s %s but other gradients by '%s' are <f4 %s",
                   dtype_names[t->dtype], tensor_shape_text(found, t->rank, t->shape), sum->name,
                   tensor_shape_text(expected, base->rank, base->shape));
    const char *bytes = t->data;
    for (size_t i = 0; i < t->count; i++) {
        float x;
        memcpy(&x, bytes + i * sizeof x, sizeof x);
        sum->data[i] += weight * x;
    }
}

/* --- log --- */

/* The sign of NaN is arbitrary, and is dropped. */
static void number_cell(char *line, size_t size, double number)
{
    size_t used = strlen(line);
    snprintf(line + used, size - used, "\t%.9g", isnan(number) ? (double)NAN : number);
}

static void cell(char *line, size_t size, const value *map, const char *key)
{
    size_t used = strlen(line);
    if (value_get(map, key))
        number_cell(line, size, value_real(map, key, 0));
    else
        snprintf(line + used, size - used, "\t");
}

/* Before the first row: a log that goes on must have these columns. */
static void log_columns(struct backprop *b, struct log *log, const struct record *first)
{
    char line[LINE];
    size_t used = (size_t)snprintf(line, sizeof line, "%s", first_columns);
    tasks_add_record(&b->tasks, first);
    for (int i = 0; i < b->tasks.count; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "\t%s", b->tasks.names[i]);
    for (int i = 0; i < b->tasks.count; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "\tw_%s", b->tasks.names[i]);
    snprintf(line + used, sizeof line - used, "\t%s", last_column);
    log_head(b->m, log, line);
}

static void log_step(struct backprop *b, struct log *log, const struct record *r, double lr)
{
    const value *losses = value_get(&r->map, "loss"), *weights = value_get(&r->map, "weight");
    char line[LINE];
    if (!b->started)
        log_columns(b, log, r);
    b->started = true;
    snprintf(line, sizeof line, "%lld\t%lld\t%.9g", (long long)r->epoch, (long long)r->step, lr);
    for (int i = 0; i < b->tasks.count; i++)
        cell(line, sizeof line, losses, b->tasks.names[i]);
    for (int i = 0; i < b->tasks.count; i++)
        cell(line, sizeof line, weights, b->tasks.names[i]);
    number_cell(line, sizeof line, record_total_loss(r));
    log_line(b->m, log, line);
}

/* --- checkpoints --- */

/* Parameters that are not finite don't recover. As this checkpoint does not come back, no stage
 * saves it, and what was committed before stays. */
static _Noreturn void end_training(struct backprop *b, const struct control *c)
{
    char kept[64] = "no checkpoint";
    if (b->kept)
        snprintf(kept, sizeof kept, "checkpoint %jd", (intmax_t)b->kept);
    msa_fail(b->m, MSA_FAILED,
             "epoch %jd, step %jd: parameters are not finite: the training ends, and %s is kept",
             (intmax_t)value_int(&c->map, "epoch", 0), (intmax_t)value_int(&c->map, "step", 0),
             kept);
}

static void on_control(struct stage *s, struct control *c)
{
    struct backprop *b = s->self;
    if (!value_bool(&c->map, "finite", true))
        end_training(b, c);
    if (b->settings->schedule == SCHEDULE_PLATEAU && plateau_next(&b->plateau, b->m))
        msa_say(b->m,
                "epoch %jd, step %jd: the loss of validation is on a plateau: the rate falls to %g",
                (intmax_t)value_int(&c->map, "epoch", 0), (intmax_t)value_int(&c->map, "step", 0),
                b->plateau.rate);
}

static void save(struct stage *s, struct control *c, value *state)
{
    struct backprop *b = s->self;
    if (value_bool(&c->map, "best", true)) /* as stages have it */
        b->kept = value_int(&c->map, "checkpoint", 0);
    value_set(b->m, c->zone, state, "kept", value_of_int(b->kept));
    if (b->settings->schedule == SCHEDULE_PLATEAU)
        plateau_save(&b->plateau, c, state);
}

static void restore(struct stage *s, const value *state)
{
    struct backprop *b = s->self;
    b->kept = resume_int(b->m, state, "kept");
    if (b->settings->schedule == SCHEDULE_PLATEAU)
        plateau_restore(&b->plateau, b->m, state);
}

/* --- the stage --- */

static void on_header(struct stage *s)
{
    struct backprop *b = s->self;
    if (!s->header->train)
        msa_fail(b->m, MSA_FAILED,
                 "the stream is for evaluation: msa-load --train makes one for training");
    if (b->settings->schedule == SCHEDULE_PLATEAU &&
        header_samples(s->header, split_names[VALID]) == 0)
        msa_fail(
            b->m, MSA_CORRUPT,
            "--schedule plateau looks at the valid split, but the data set has no sample of it");
    b->tasks = tasks_of(s->header);
    b->steps = header_training_steps(s->header);
    if (!b->steps)
        msa_fail(b->m, MSA_CORRUPT, "header: %ld steps in each of %ld epochs are no training",
                 s->header->steps, s->header->epochs);
}

static double rate(const struct backprop *b, const struct header *h, const struct record *r)
{
    double warm = fmin(b->settings->warmup * (double)h->steps, (double)LONG_MAX / 2);
    return optimizer_rate(b->plateau.rate, (long)r->step, (long)warm, b->steps,
                          b->settings->schedule == SCHEDULE_LINEAR);
}

/* Says once where losses (or weights) stop being numbers: a training rarely recovers. */
static void on_record(struct stage *s, struct record *r)
{
    struct backprop *b = s->self;
    struct nonfinite n;
    if (r->train)
        b->done = r->step + 1;
    else if (b->settings->schedule == SCHEDULE_PLATEAU)
        plateau_add(&b->plateau, r);
    if (b->warned || !record_scalar_nonfinite(r, &n))
        return;
    b->warned = true;
    msa_warn(b->m,
             "epoch %jd, %s %jd%s (%s): %s '%s' is %s (--check-finite, given to all programs, "
             "names where that begins)",
             (intmax_t)r->epoch, r->train ? "step" : "after",
             (intmax_t)(r->train ? r->step : b->done), r->train ? "" : " steps", r->split, n.kind,
             n.name, nonfinite_called(n.number));
}

static void turn(struct stage *s, const struct record *r, struct record *g)
{
    struct backprop *b = s->self;
    const struct settings *set = b->settings;
    struct optimizer o = {.rule = (enum rule)set->optimizer,
                          .lr = rate(b, s->header, r),
                          .waits =
                              optimizer_waits(set->accumulate, (long)r->step, s->header->steps),
                          .beta1 = set->beta1,
                          .beta2 = set->beta2,
                          .eps = set->eps,
                          .amsgrad = set->amsgrad,
                          .momentum = set->momentum,
                          .decay = set->decay,
                          .clip = set->clip,
                          .clip_at = (enum clip_at)set->clip_at,
                          .no_decay = set->no_decay};
    g->epoch = r->epoch;
    g->step = r->step;
    for (int i = 0; i < r->count; i++)
        add_one(b, r, g, &r->tensors[i]);
    if (!g->count)
        msa_fail(b->m, MSA_FAILED,
                 "frame %u: no gradient arrives (no tensor NAME@TASK): does msa-loss stand before?",
                 (unsigned)r->frame.seq);
    optimizer_say(b->m, g, &o);
    if (s->log)
        log_step(b, s->log, r, o.lr);
}

static bool never(const struct stage *s)
{
    (void)s;
    return false;
}

/* An option that would do nothing here is a mistake. */
static void goes_with(struct msa *m, const char *option, bool there, const char *with)
{
    if (option_given(m, option) && !there)
        msa_fail(m, MSA_USAGE, "--%s goes with --%s", option, with);
}

static void check_options(struct msa *m, const struct settings *set)
{
    bool adam = set->optimizer == RULE_ADAMW || set->optimizer == RULE_ADAM;
    goes_with(m, "amsgrad", adam, "optimizer adamw or adam");
    goes_with(m, "momentum", set->optimizer == RULE_SGD, "optimizer sgd");
    goes_with(m, "clip-at", set->clip != 0, "clip-value");
    goes_with(m, "patience", set->schedule == SCHEDULE_PLATEAU, "schedule plateau");
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {
        .joins = true,
        .passes = never,
        .header = on_header,
        .record = on_record,
        .turn = turn,
        .control = on_control,
        .settings = "lr,warmup,schedule,patience,accumulate,clip-value,clip-at,optimizer,amsgrad,"
                    "momentum,decay,no-decay,beta1,beta2,eps",
        .log = "log",
        .save = save,
        .restore = restore};
    struct backprop *b = msa_alloc(m, sizeof *b);
    b->m = m;
    b->settings = m->settings;
    check_options(m, b->settings);
    b->plateau = plateau_new(b->settings->lr, b->settings->patience);
    stage_run(m, &ops, b);
}

static const struct example examples[] = {
    {"... | msa-loss | msa-gdwg | msa-metrics | msa-backprop --lr 1e-4 --log steps.tsv",
     "train with the paper's learning rate, and keep the losses of every step"},
    {0},
};

static const struct program program = {
    .name = "msa-backprop",
    .summary = "turn a training stream round: send weighted gradients back",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-loss(1), msa-gdwg(1), msa-load(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail_last,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
