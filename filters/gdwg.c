/* msa-gdwg: global dynamic weights of the tasks (msa-model(7), Weights).
 *
 * At the end of a stage t (an epoch, or --stage-steps steps) with raw mean losses L_k(t):
 * w_k = L_k(t) / L_k(1), lambda_k(t+1) = softmax_k(w_k / tau) over the tasks it adjusts; lambda(1)
 * = 1/J each. */
#include "common/metrics/tasks.h"
#include "common/run/option.h"
#include "common/stage/stage.h"
#include "common/stream/resume.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double TINY = 1e-12; /* below it a first loss says nothing: w = 1 */

struct settings {
    const char *tasks;
    double tau;
    long stage_steps;
};

struct gdwg {
    struct msa *m;
    const struct settings *settings;
    int count;
    char names[TASKS_MOST][BODY_KEY + 1];
    bool started;         /* has seen a training record */
    bool idle;            /* fewer than two of its tasks: leaves the weights alone */
    int64_t stage;        /* t, from 1 */
    int64_t epoch, steps; /* of the stage at hand */
    double samples;
    double sum[TASKS_MOST];    /* of losses x samples */
    double first[TASKS_MOST];  /* L_k(1) */
    double weight[TASKS_MOST]; /* lambda_k(t) */
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "tasks", "LIST", OPTION_TEXT, FIELD(tasks), "uni,cl", 0, 0,
     .help = "tasks whose weights are adjusted; these sum to 1"},
    {0, "tau", "X", OPTION_REAL, FIELD(tau), "1", 1e-6, 1e6,
     .help = "temperature: the larger, the more even the weights"},
    {0, "stage-steps", "N", OPTION_INT, FIELD(stage_steps), NULL, 1, 1e15,
     .help = "adjust every N training steps instead of every epoch"},
    {0},
};
#undef FIELD

static void split_tasks(struct gdwg *g)
{
    for (const char *word = g->settings->tasks; *word;) {
        size_t length = strcspn(word, ",");
        if (length == 0 || length > BODY_KEY || g->count == TASKS_MOST)
            msa_fail(g->m, MSA_USAGE,
                     "--tasks: '%s' is not a list of up to %d names, each of up to %d bytes",
                     g->settings->tasks, TASKS_MOST, BODY_KEY);
        memcpy(g->names[g->count], word, length);
        for (int k = 0; k < g->count; k++)
            if (strcmp(g->names[k], g->names[g->count]) == 0)
                msa_fail(g->m, MSA_USAGE, "--tasks: '%s' twice", g->names[k]);
        g->count++;
        word += length + (word[length] == ',');
    }
}

/* The first training record tells which of its tasks there are. */
static void start(struct gdwg *g, const struct record *r)
{
    const value *losses = value_get(&r->map, "loss");
    int kept = 0;
    for (int k = 0; k < g->count; k++)
        if (value_get(losses, g->names[k]))
            memmove(g->names[kept++], g->names[k], sizeof g->names[k]);
    g->started = true;
    g->idle = kept < 2;
    g->count = kept;
    g->stage = 1;
    g->epoch = r->epoch;
    for (int k = 0; k < kept; k++)
        g->weight[k] = 1.0 / kept;
    if (g->idle)
        msa_warn(g->m, "fewer than two of the tasks %s arrive: weights stay as they are",
                 g->settings->tasks);
}

/* lambda(t+1) from the means of the stage that has ended. */
static void end_stage(struct gdwg *g)
{
    double w[TASKS_MOST], top = -INFINITY, total = 0;
    for (int k = 0; k < g->count; k++) {
        double mean = g->sum[k] / g->samples;
        if (g->stage == 1)
            g->first[k] = mean;
        w[k] = (g->first[k] < TINY ? 1 : mean / g->first[k]) / g->settings->tau;
        top = fmax(top, w[k]);
    }
    for (int k = 0; k < g->count; k++)
        total += g->weight[k] = exp(w[k] - top);
    for (int k = 0; k < g->count; k++) {
        g->weight[k] /= total;
        g->sum[k] = 0;
    }
    g->samples = 0;
    g->steps = 0;
    g->stage++;
}

static bool stage_has_ended(const struct gdwg *g, const struct record *r)
{
    return g->settings->stage_steps ? g->steps >= g->settings->stage_steps : r->epoch != g->epoch;
}

static void add_losses(struct gdwg *g, const struct record *r)
{
    const value *losses = value_get(&r->map, "loss");
    for (int k = 0; k < g->count; k++) {
        if (!value_get(losses, g->names[k]))
            msa_fail(g->m, MSA_CORRUPT, "frame %u: no loss '%s', which came before",
                     (unsigned)r->frame.seq, g->names[k]);
        g->sum[k] += value_real(losses, g->names[k], 0) * (double)r->samples;
    }
    g->samples += (double)r->samples;
    g->steps++;
}

static void put_weights(struct gdwg *g, struct record *r)
{
    const value *found = value_get(&r->map, "weight");
    value weights = found && found->type == MSGPACK_OBJECT_MAP ? *found : value_map();
    for (int k = 0; k < g->count; k++)
        value_set(g->m, r->zone, &weights, g->names[k], value_of_real(g->weight[k]));
    value_set(g->m, r->zone, &r->map, "weight", weights);
}

static void on_record(struct stage *s, struct record *r)
{
    struct gdwg *g = s->self;
    if (r->train && !g->started)
        start(g, r);
    if (g->idle || !g->started)
        return;
    if (r->train && stage_has_ended(g, r)) {
        if (g->samples > 0)
            end_stage(g);
        g->epoch = r->epoch;
    }
    if (r->train)
        add_losses(g, r);
    put_weights(g, r);
}

/* ---- checkpoints ---- */

static value tasks_value(struct gdwg *g, msgpack_zone *zone)
{
    value tasks = value_map();
    for (int k = 0; k < g->count; k++) {
        value task = value_map();
        value_set(g->m, zone, &task, "sum", value_of_real(g->sum[k]));
        value_set(g->m, zone, &task, "first", value_of_real(g->first[k]));
        value_set(g->m, zone, &task, "weight", value_of_real(g->weight[k]));
        value_set(g->m, zone, &tasks, g->names[k], task);
    }
    return tasks;
}

/* All that the weights to come depend on. */
static void save(struct stage *s, struct control *c, value *state)
{
    struct gdwg *g = s->self;
    value_set(g->m, c->zone, state, "stage", value_of_int(g->stage));
    value_set(g->m, c->zone, state, "epoch", value_of_int(g->epoch));
    value_set(g->m, c->zone, state, "steps", value_of_int(g->steps));
    value_set(g->m, c->zone, state, "samples", value_of_real(g->samples));
    value_set(g->m, c->zone, state, "tasks", tasks_value(g, c->zone));
}

/* The tasks that a checkpoint knows are those that arrive, among those of --tasks. */
static void take_tasks(struct gdwg *g, const value *tasks)
{
    int kept = 0;
    for (int k = 0; k < g->count; k++) {
        const value *task = value_get(tasks, g->names[k]);
        if (!task)
            continue;
        memmove(g->names[kept], g->names[k], sizeof g->names[k]);
        g->sum[kept] = resume_number(g->m, task, "sum");
        g->first[kept] = resume_number(g->m, task, "first");
        g->weight[kept] = resume_number(g->m, task, "weight");
        kept++;
    }
    g->count = kept;
    g->idle = kept < 2;
}

static void restore(struct stage *s, const value *state)
{
    struct gdwg *g = s->self;
    g->started = true;
    g->stage = resume_int(g->m, state, "stage");
    g->epoch = resume_int(g->m, state, "epoch");
    g->steps = resume_int(g->m, state, "steps");
    g->samples = resume_number(g->m, state, "samples");
    take_tasks(g, resume_map(g->m, state, "tasks"));
}

static void run(struct msa *m)
{
    static const struct stage_ops ops = {.joins = true,
                                         .record = on_record,
                                         .settings = "tasks,tau,stage-steps",
                                         .identifies = true,
                                         .save = save,
                                         .restore = restore};
    struct gdwg *g = msa_alloc(m, sizeof *g);
    g->m = m;
    g->settings = m->settings;
    split_tasks(g);
    stage_run(m, &ops, g);
}

static const struct example examples[] = {
    {"... | msa-loss | msa-gdwg --tau 0.5 | msa-metrics | msa-backprop",
     "weights that follow the losses more sharply"},
    {0},
};

static const struct program program = {
    .name = "msa-gdwg",
    .summary = "weight the tasks by how their losses fall (Global Dynamic Weight Generation)",
    .operands = "[FILE]",
    .max_operands = 1,
    .settings_size = sizeof(struct settings),
    .options = options,
    .examples = examples,
    .see_also = "msa-loss(1), msa-backprop(1), msa-stream(5), msa(7)",
    .run = run,
    .at_fail = stage_at_fail,
};

int main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
