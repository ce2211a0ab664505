/* What stages give to a checkpoint, and take from it (common/stage/checkpoint.h): lines of a
 * source, a stage that counts records, and an end, each a process. The source trains on two
 * records, commits, sends one more, and is killed; or it goes on from the commit, with two records.
 */
#include "common/nn/layers/linear.h"
#include "common/stage/trainable.h"
#include "common/stream/commit.h"
#include "common/stream/resume.h"
#include "common/stream/training.h"
#include "filters/loss/loss.h"
#include "tests/unit/files.h"

#include <stdio.h>
#include <sys/wait.h>

/* ---- The source ---- */

enum { RECORDS = 2 }; /* between checkpoints */

static struct header *begin_header(struct msa *m)
{
    struct header *h = header_new(m);
    h->train = true;
    h->epochs = 2;
    h->steps = RECORDS;
    char text[TRAINING_TEXT];
    training_put(h, training_text(text, 1, 0));
    struct commit *commit = commit_read(m, "state");
    if (commit)
        resume_put(h, commit);
    return h;
}

static void train(struct stage *s, long step)
{
    struct record r;
    struct frame g;
    record_new(s->m, &r);
    r.epoch = step / RECORDS + 1;
    r.step = step;
    r.train = true;
    record_write(&r, s->out, FRAME_DATA);
    record_free(&r);
    stage_await(s, FRAME_GRADIENT, &g);
    frame_free(&g);
}

static void commit(struct stage *s, struct header *lasting, long step)
{
    struct control c = control_new(s->m);
    value_set(s->m, c.zone, &c.map, "epoch", value_of_int(step / RECORDS));
    value_set(s->m, c.zone, &c.map, "step", value_of_int(step));
    value_set(s->m, c.zone, &c.map, "checkpoint", value_of_int(step / RECORDS));
    control_write(&c, s->out, FRAME_CONTROL);
    control_free(&c);
    c = stage_await_control(s);
    value_set(s->m, c.zone, &c.map, "format", value_of_int(COMMIT_FORMAT));
    commit_write(s->m, "state", &(struct commit){lasting, c});
    control_free(&c);
}

static void run_source(struct msa *m)
{
    struct stage *s = msa_alloc(m, sizeof *s);
    struct header *h = begin_header(m);
    bool resumed = resume_checkpoint(h) > 0;
    long step = resumed ? RECORDS : 0;
    stage_open_source(s, m, h);
    for (int i = 0; i < RECORDS; i++)
        train(s, step++);
    commit(s, commit_header(h), step);
    if (!resumed) {
        train(s, step);
        _exit(99);
    }
    stage_end(s);
}

static const struct program source = {
    .name = "test-source", .operands = "", .run = run_source, .at_fail = stage_at_fail};

/* ---- The end ---- */

static bool never(const struct stage *s)
{
    (void)s;
    return false;
}

static void turn(struct stage *s, const struct record *r, struct record *g)
{
    struct optimizer o = {.rule = RULE_SGD, .no_decay = ""};
    g->epoch = r->epoch;
    g->step = r->step;
    optimizer_say(s->m, g, &o);
}

static void run_end(struct msa *m)
{
    static const struct stage_ops ops = {.joins = true, .passes = never, .turn = turn};
    stage_run(m, &ops, NULL);
}

static const struct program end = {
    .name = "test-end", .operands = "", .run = run_end, .at_fail = stage_at_fail_last};

/* ---- The stage ---- */

struct count_settings {
    struct trainable_settings trainable;
    long factor;
    double share[2];
    bool aside;
    const char *log;
};

#define FIELD(name) offsetof(struct count_settings, name)
static const struct option options[] = {
    {0, "factor", "N", OPTION_INT, FIELD(factor), "1", 1, 9, .help = "a setting"},
    {0, "share", "X", OPTION_REAL, FIELD(share), "1", 0, 1, .help = "two", .keys = "left|right"},
    {0, "aside", NULL, OPTION_FLAG, FIELD(aside), .help = "do not join the way back"},
    {0, "log", "FILE", OPTION_TEXT, FIELD(log), .help = "a log"},
    {0},
};
#undef FIELD

static void save_count(struct stage *s, struct control *c, value *state)
{
    value_set(s->m, c->zone, state, "count", value_of_int(*(const int64_t *)s->self));
}

static void restore_count(struct stage *s, const value *state)
{
    *(int64_t *)s->self = resume_int(s->m, state, "count");
}

static void count_record(struct stage *s, struct record *r)
{
    int64_t *count = s->self;
    ++*count;
    if (r->train && s->log)
        log_line(s->m, s->log, msa_format(s->m, "%jd", (intmax_t)*count));
}

static void run_count(struct msa *m)
{
    struct stage_ops *ops = msa_alloc(m, sizeof *ops);
    *ops = (struct stage_ops){.joins = !((const struct count_settings *)m->settings)->aside,
                              .record = count_record,
                              .settings = "factor,share",
                              .log = "log",
                              .save = save_count,
                              .restore = restore_count};
    stage_run(m, ops, msa_alloc(m, sizeof(int64_t)));
}

static const struct program count = {.name = "test-count",
                                     .operands = "",
                                     .settings_size = sizeof(struct count_settings),
                                     .options = options,
                                     .run = run_count,
                                     .at_fail = stage_at_fail};

/* The same with parameters. */
static void build(struct part *p)
{
    linear_layer(&p->t->params, "layer", 2, 1);
}

static void forward(struct part *p)
{
    ++*(int64_t *)p->self;
}

static void save_own(struct part *p, struct control *c, value *state)
{
    value_set(p->t->m, c->zone, state, "count", value_of_int(*(const int64_t *)p->self));
}

static void restore_own(struct part *p, const value *state)
{
    *(int64_t *)p->self = resume_int(p->t->m, state, "count");
}

static const struct model counts = {.is = {.name = "counts"},
                                    .size = sizeof(int64_t),
                                    .build = build,
                                    .forward = forward,
                                    .save = save_own,
                                    .restore = restore_own};
static const struct variant *const networks[] = {&counts.is, NULL};

static void choose_model(struct trainable *t)
{
    trainable_choose(t, NULL);
}

static void run_model(struct msa *m)
{
    trainable_run(m, choose_model, NULL);
}

static const struct program with_parameters = {.name = "test-model",
                                               .operands = "",
                                               .settings_size = sizeof(struct count_settings),
                                               .options = options,
                                               .more = trainable_options,
                                               .variants = networks,
                                               .chosen_by = "how",
                                               .run = run_model,
                                               .at_fail = stage_at_fail};

/* A task of a loss. */
static bool begin_task(struct loss *l, void *self)
{
    (void)l;
    (void)self;
    return true;
}

static struct var *compute_task(struct loss *l, void *self)
{
    ++*(int64_t *)self;
    return tape_zeros(&l->tape, 1, (size_t[]){1});
}

static void save_task(struct loss *l, void *self, struct control *c, value *state)
{
    value_set(l->m, c->zone, state, "count", value_of_int(*(const int64_t *)self));
}

static void restore_task(struct loss *l, void *self, const value *state)
{
    *(int64_t *)self = resume_int(l->m, state, "count");
}

static const struct task counted = {.is = {.name = "counted"},
                                    .weight = "1",
                                    .size = sizeof(int64_t),
                                    .begin = begin_task,
                                    .compute = compute_task,
                                    .save = save_task,
                                    .restore = restore_task};
static const struct variant *const tasks[] = {&counted.is, NULL};
static const struct program with_task = {.name = "test-task",
                                         .operands = "",
                                         .settings_size = sizeof(struct loss_settings),
                                         .options = loss_options,
                                         .variants = tasks,
                                         .chosen_by = "tasks",
                                         .run = loss_run,
                                         .at_fail = stage_at_fail};

/* ---- Lines ---- */

enum { MOST_WORDS = 8 };

static pid_t begin_program(const struct program *p, char **argv, int in, int out, int next)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    int argc = 0;
    while (argv[argc])
        argc++;
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(open("err", O_WRONLY | O_CREAT | O_APPEND, 0666), STDERR_FILENO);
    for (int fd = 3; fd <= next; fd++)
        close(fd);
    _exit(program_main(p, argc, argv));
}

static int status_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* source | PROGRAM WORDS | end: the status of the one in the middle; the others must end with
 * these. */
static int line(const struct program *program, const char *words, int of_source, int of_end)
{
    char *text = strdup(words), *rest = text, *argv[MOST_WORDS] = {"test"}, *alone[] = {"test", 0};
    for (int i = 1; i < MOST_WORDS - 1 && (argv[i] = strsep(&rest, " ")); i++)
        ;
    int first[2], second[2];
    assert_int_equal(pipe(first) | pipe(second), 0);
    pid_t a = begin_program(&source, alone, STDIN_FILENO, first[1], second[1]);
    pid_t b = begin_program(program, argv, first[0], second[1], second[1]);
    pid_t c = begin_program(&end, alone, second[0], STDERR_FILENO, second[1]);
    for (int i = 0; i < 2; i++)
        close(first[i]), close(second[i]);
    assert_int_equal(status_of(a), of_source);
    int status = status_of(b);
    assert_int_equal(status_of(c), of_end);
    free(text);
    return status;
}

/* A whole number of the stage's state in the commit, or of its network's or task's, `key`. */
struct looking {
    struct msa m; /* first */
    const char *program, *key;
    int64_t count;
    bool settings;
};

static void look(struct msa *m)
{
    struct looking *l = (struct looking *)m;
    struct commit *commit = commit_read(m, "state");
    const value *states = resume_map(m, &commit->control.map, "state");
    const value *state = resume_map(m, states, l->program);
    l->settings = value_get(state, "settings");
    l->count = resume_int(m, l->key ? resume_own(m, state, l->key) : state, "count");
}

static struct looking in_commit(const char *program, const char *key)
{
    struct looking l = {.m.program = "test", .program = program, .key = key};
    if (msa_run(&l.m, look) != MSA_OK)
        fail_msg("%s", l.m.error);
    return l;
}

static void said(const char *text)
{
    char found[1024];
    FILE *f = fopen("err", "r");
    assert_non_null(f);
    found[fread(found, 1, sizeof found - 1, f)] = '\0';
    fclose(f);
    if (!strstr(found, text))
        fail_msg("'%s' but expected '%s'", found, text);
}

/* ---- Tests ---- */

static void killed_and_resumed(const char *words)
{
    assert_int_equal(line(&count, words, 99, MSA_OTHER), MSA_CUT);
    holds("log", "1\n2\n3\n");
    struct looking l = in_commit("2:test-count", NULL);
    assert_int_equal(l.count, 2);
    assert_true(l.settings);
    assert_int_equal(line(&count, words, MSA_OK, MSA_OK), MSA_OK);
    holds("log", "1\n2\n3\n4\n");
    assert_int_equal(in_commit("2:test-count", NULL).count, 4);
}

static void a_stage_goes_on(void **state)
{
    (void)state;
    killed_and_resumed("--factor 2 --log log");
}

static void a_stage_with_other_settings_does_not(void **state)
{
    (void)state;
    line(&count, "--factor 2", 99, MSA_OTHER);
    assert_int_equal(line(&count, "--factor 3", MSA_OTHER, MSA_OTHER), MSA_USAGE);
    said("test-count: the training that is to be resumed began with factor 2, and not with 3\n");
    assert_int_equal(line(&count, "--factor 2 --share right=.5", MSA_OTHER, MSA_OTHER), MSA_USAGE);
    said("began with share 1,1, and not with 1,0.5\n");
}

/* It gives its state to the control on its way down. */
static void a_stage_that_does_not_join_goes_on(void **state)
{
    (void)state;
    killed_and_resumed("--aside --log log");
}

/* That of a network or a task, `key`, of a program. */
static void has_its_own(const struct program *program, const char *words, const char *key)
{
    char stage[32];
    snprintf(stage, sizeof stage, "2:%s", program->name);
    assert_int_equal(line(program, words, 99, MSA_OTHER), MSA_CUT);
    assert_int_equal(in_commit(stage, key).count, 2);
    assert_int_equal(line(program, words, MSA_OK, MSA_OK), MSA_OK);
    assert_int_equal(in_commit(stage, key).count, 4);
}

static void a_network_has_a_state_of_its_own(void **state)
{
    (void)state;
    has_its_own(&with_parameters, "-p file --device cpu:base", "counts");
    assert_false(in_commit("2:test-model", "counts").settings);
}

static void a_task_has_a_state_of_its_own(void **state)
{
    (void)state;
    has_its_own(&with_task, "--tasks counted --device cpu:base", "counted");
    assert_true(in_commit("2:test-task", "counted").settings);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stage_goes_on),
        TEST(a_stage_with_other_settings_does_not),
        TEST(a_stage_that_does_not_join_goes_on),
        TEST(a_network_has_a_state_of_its_own),
        TEST(a_task_has_a_state_of_its_own),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
