/* Options, help and main() of a program (option.h). */
#include "common/cli/option.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- A program with an option of each kind ---- */

struct settings {
    bool keep;
    const char *parameters, *skip;
    long dim, seed;
    double rate, free;
    int mode;
    struct option_list init, freeze;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct option own[] = {
    {'k', "keep", NULL, OPTION_FLAG, FIELD(keep), .help = "keep what is consumed"},
    {0, "dim", "N", OPTION_INT, FIELD(dim), "32", 1, 8, .help = "width of the output"},
    {0, "seed", "N", OPTION_INT, FIELD(seed),
     .help = "where random numbers start, so that a run can be repeated, at a rate of .5 or so"},
    {0, "rate", "P", OPTION_REAL, FIELD(rate), ".5", 0, 1, .help = "part that is dropped"},
    {0, "free", "X", OPTION_REAL, FIELD(free), .help = "any number"},
    {'m', "mode", "fast|slow|off", OPTION_CHOICE, FIELD(mode), "slow", .help = "how it is done"},
    {0}};

static const struct option shared[] = {
    {'p', "parameters", "FILE", OPTION_TEXT, FIELD(parameters), "p.st", .help = "what is trained"},
    {0, "skip", "LIST", OPTION_WORDS, FIELD(skip), "bias", .help = "what is left out"},
    {0, "init", "FILE", OPTION_LIST, FIELD(init), .help = "values to start from, by name"},
    {0, "freeze", "GLOB", OPTION_LIST, FIELD(freeze), "none", .help = "what stays as it is"},
    {0}};

static const struct example examples[] = {{"msa-test -k in.msa", "tests and keeps"}, {0}};

static void work(struct msa *m)
{
    if (strcmp(m->operands[0], "fail") == 0)
        msa_fail(m, MSA_CORRUPT, "frame 17, tensor '%s': no good", "a\nb");
    if (strcmp(m->operands[0], "other") == 0)
        msa_fail(m, MSA_OTHER, "somebody else has said it");
    if (strcmp(m->operands[0], "false") == 0)
        m->status = MSA_FAILED;
    msa_say(m, "working");
    msa_warn(m, "odd");
    printf("worked\n");
}

static void tell(struct msa *m)
{
    fprintf(stderr, "told: %s\n", m->error);
}

static const struct program program = {"msa-test",
                                       "test a thing or two",
                                       "FILE [FILE]",
                                       1,
                                       2,
                                       sizeof(struct settings),
                                       own,
                                       shared,
                                       examples,
                                       "msa-load(1), msa(7)",
                                       work,
                                       NULL,
                                       NULL,
                                       NULL,
                                       "keep,init"};

/* ---- Running ---- */

struct script {
    struct msa m;
    struct settings settings;
    bool proceeds;
    char *operands[8];
    char list[64], told[128];
};

static void parse_body(struct msa *m)
{
    struct script *s = (struct script *)m;
    char *argv[32], **given = m->argv;
    int argc = m->argc;
    memcpy(argv, given, ((size_t)argc + 1) * sizeof *argv);
    s->proceeds = options_parse(m, &program);
    assert_memory_equal(argv, given, ((size_t)argc + 1) * sizeof *argv);
    for (int i = 0; i < m->argc; i++)
        strcat(strcat(s->told, i ? " " : ""), m->argv[i]);
    assert_null(m->argv[m->argc]);
    assert_null(m->operands[m->operand_count]);
    memcpy(s->operands, m->operands, ((size_t)m->operand_count + 1) * sizeof *s->operands);
    s->settings = *(struct settings *)m->settings;
    for (int i = 0; i < s->settings.init.count; i++)
        strcat(strcat(s->list, s->settings.init.values[i]), ";");
    for (int i = 0; i < s->settings.freeze.count; i++)
        strcat(strcat(s->list, s->settings.freeze.values[i]), "!");
}

static struct script parse(int argc, char **argv)
{
    struct script s = {.m = {.program = "msa-test", .argc = argc, .argv = argv}};
    msa_run(&s.m, parse_body);
    assert_null(s.m.blocks);
    return s;
}

#define ARGV(...)                                                                                  \
    (char *[])                                                                                     \
    {                                                                                              \
        "msa-test", __VA_ARGS__, NULL                                                              \
    }
#define PARSE(...) parse((int)(sizeof(ARGV(__VA_ARGS__)) / sizeof(char *)) - 1, ARGV(__VA_ARGS__))

static void refused(struct script s, const char *line)
{
    assert_string_equal(s.m.error, line);
    assert_int_equal(s.m.status, MSA_USAGE);
}

struct output {
    int status;
    char out[8192], err[1024];
};

static void read_back(FILE *stream, char *text, size_t size)
{
    rewind(stream);
    text[fread(text, 1, size - 1, stream)] = '\0';
    fclose(stream);
}

/* program_main in a process of its own, its stdout in a file, or going to `sink`. */
static struct output run_main(const struct program *p, int sink, int argc, char **argv)
{
    FILE *out = tmpfile(), *err = tmpfile();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(sink < 0 ? fileno(out) : sink, STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        _exit(program_main(p, argc, argv));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    struct output o = {.status = WEXITSTATUS(status)};
    read_back(out, o.out, sizeof o.out);
    read_back(err, o.err, sizeof o.err);
    return o;
}

#define MAIN(sink, ...)                                                                            \
    run_main(&program, sink, (int)(sizeof(ARGV(__VA_ARGS__)) / sizeof(char *)) - 1,                \
             ARGV(__VA_ARGS__))

/* ---- Options ---- */

static void defaults_are_parsed_like_values(void **state)
{
    (void)state;
    struct script bad = PARSE("x");
    refused(bad, "--dim: '32' is not a number from 1 to 8"); /* as the table has it */
    struct script s = PARSE("--dim", "4", "x");
    assert_int_equal(s.m.status, MSA_OK);
    assert_true(s.proceeds);
    assert_int_equal(s.settings.seed, 0);
    assert_true(s.settings.rate == 0.5);
    assert_int_equal(s.settings.mode, 1);
    assert_string_equal(s.settings.parameters, "p.st");
    assert_false(s.settings.keep);
    assert_string_equal(s.list, "none!");
    const struct msa_common *c = &s.m.common;
    assert_true(!c->quiet && !c->verbose && !c->output && !c->gzip && !c->no_crc);
    assert_string_equal(c->device, "auto");
    assert_int_equal(c->threads, 0);
    assert_int_equal(c->progress, MSA_PROGRESS_AUTO);
    assert_int_equal(c->max_frame, 1L << 30);
}

static void values_reach_their_fields(void **state)
{
    (void)state;
    struct script s = PARSE("--dim=8", "-kp", "a.st", "x", "--init", "1", "--rate", "1e-3",
                            "--free=-2.5", "--init=2", "-mfast", "--seed", "-7", "--freeze", "*");
    assert_string_equal(s.m.error, "");
    assert_int_equal(s.settings.dim, 8);
    assert_true(s.settings.keep);
    assert_string_equal(s.settings.parameters, "a.st");
    assert_true(s.settings.rate == 1e-3);
    assert_true(s.settings.free == -2.5);
    assert_int_equal(s.settings.mode, 0);
    assert_int_equal(s.settings.seed, -7);
    assert_string_equal(s.list, "1;2;*!");
    s = PARSE("-qvzo", "out", "--threads=3", "--progress=never", "--max-frame", "100", "--no-crc",
              "--device", "cuda:12", "--dim", "1", "--dim", "2", "x");
    assert_string_equal(s.m.error, "");
    const struct msa_common *c = &s.m.common;
    assert_true(c->quiet && c->verbose && c->gzip && c->no_crc);
    assert_string_equal(c->output, "out");
    assert_string_equal(c->device, "cuda:12");
    assert_int_equal(c->threads, 3);
    assert_int_equal(c->progress, MSA_PROGRESS_NEVER);
    assert_int_equal(c->max_frame, 100);
    assert_int_equal(s.settings.dim, 2);
}

static void operands_may_stand_anywhere(void **state)
{
    (void)state;
    struct script s = PARSE("--dim", "1", "a", "-k", "-");
    assert_int_equal(s.m.operand_count, 2);
    assert_string_equal(s.operands[0], "a");
    assert_string_equal(s.operands[1], "-");
    assert_true(s.settings.keep);
    s = PARSE("a", "--dim", "1", "--", "--keep");
    assert_string_equal(s.m.error, "");
    assert_string_equal(s.operands[1], "--keep");
    assert_false(s.settings.keep);
    refused(PARSE("--dim=1", "a", "b", "c"), "unexpected operand 'c' (see msa-test --help)");
    refused(PARSE("--dim=1"), "too few operands: expected FILE [FILE] (see msa-test --help)");
}

static void told(const char *expected, struct script s)
{
    assert_int_equal(s.m.status, MSA_OK);
    assert_string_equal(s.told, expected);
}

/* -k and --init are not; -z and -v stand with -k, and a value may look like a flag. */
static void some_options_are_not_told(void **state)
{
    (void)state;
    told("msa-test --dim 4 x", PARSE("--dim", "4", "x"));
    told("msa-test --dim 4 x", PARSE("-k", "--dim", "4", "x"));
    told("msa-test --dim 4 x", PARSE("--dim", "4", "x", "--keep"));
    told("msa-test -v --dim=4 x", PARSE("-kv", "--dim=4", "x"));
    told("msa-test -zv --dim 4 x", PARSE("-zkvk", "--dim", "4", "x"));
    told("msa-test -pk --dim 4 x", PARSE("-pk", "--dim", "4", "x"));
    told("msa-test -zpk --dim 4 x", PARSE("-kzpk", "--dim", "4", "x"));
    told("msa-test -z -p -k --dim 4 x", PARSE("-z", "-p", "-k", "--dim", "4", "x"));
    told("msa-test -p k --dim 4 x", PARSE("-kp", "k", "--dim", "4", "x"));
    told("msa-test --dim 4 x", PARSE("--init", "a", "--dim", "4", "--init=b", "-kk", "x"));
    told("msa-test --dim 4 -- -k --init", PARSE("--dim", "4", "--", "-k", "--init"));
}

static void wrong_names_are_refused(void **state)
{
    (void)state;
    refused(PARSE("--foo"), "unknown option '--foo' (see msa-test --help)");
    refused(PARSE("--foo=1"), "unknown option '--foo' (see msa-test --help)");
    refused(PARSE("--kee"), "unknown option '--kee' (see msa-test --help)");
    refused(PARSE("--dev", "cpu"), "unknown option '--dev' (see msa-test --help)");
    refused(PARSE("--dev=cpu"), "unknown option '--dev' (see msa-test --help)");
    refused(PARSE("--dev"), "unknown option '--dev' (see msa-test --help)");
    refused(PARSE("--kee=1"), "unknown option '--kee' (see msa-test --help)");
    refused(PARSE("--fre", "1"), "unknown option '--fre' (see msa-test --help)"); /* ambiguous */
    refused(PARSE("--hel"), "unknown option '--hel' (see msa-test --help)");
    refused(PARSE("-kx"), "unknown option '-x' (see msa-test --help)");
    refused(PARSE("-xk"), "unknown option '-x' (see msa-test --help)");
    assert_false(PARSE("--dim=1", "x").settings.keep); /* the rest of -xk is forgotten */
    refused(PARSE("-p"), "option '-p' needs a value (see msa-test --help)");
    refused(PARSE("--dim"), "option '--dim' needs a value (see msa-test --help)");
    refused(PARSE("--keep=1"), "option '--keep' takes no value (see msa-test --help)");
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static char *const not_int[] = {"",  " 1",  "1 ", "+1", "0x1", "1.5",
                                    "-", "1e0", "0",  "9",  "--1", "99999999999999999999",
                                    "1-"};
    for (size_t i = 0; i < sizeof not_int / sizeof *not_int; i++) {
        char line[100];
        snprintf(line, sizeof line, "--dim: '%s' is not a number from 1 to 8", not_int[i]);
        refused(PARSE("--dim", not_int[i]), line);
    }
    static char *const not_real[] = {"",   "nan", "inf",   " 0",  "0x1p-1", "+0.1",  ".",
                                     "1e", "e1",  "1e999", "1,5", "1.0001", "-1e-9", "1 "};
    for (size_t i = 0; i < sizeof not_real / sizeof *not_real; i++) {
        char line[100];
        snprintf(line, sizeof line, "--rate: '%s' is not a number from 0 to 1", not_real[i]);
        refused(PARSE("--rate", not_real[i]), line);
    }
    refused(PARSE("--free=1e999"), "--free: '1e999' is not a number");
    refused(PARSE("--seed=9223372036854775808"), "--seed: '9223372036854775808' is not a number");
    refused(PARSE("--mode", "fas"), "--mode: 'fas' is none of fast|slow|off");
    refused(PARSE("--mode", "fast|slow"), "--mode: 'fast|slow' is none of fast|slow|off");
    refused(PARSE("--mode="), "--mode: '' is none of fast|slow|off");
    refused(PARSE("--parameters="), "--parameters: the value is empty, but expected FILE");
    refused(PARSE("-p", ""), "--parameters: the value is empty, but expected FILE");
    refused(PARSE("--init", "a", "--init", ""), "--init: the value is empty, but expected FILE");
    refused(PARSE("-o", ""), "--output: the value is empty, but expected FILE");
    refused(PARSE("--dim=1", "x", ""), "operand 2 is empty, but expected FILE [FILE]");
    refused(PARSE("--max-frame", "0"), "--max-frame: '0' is not a number from 1 to 4294967295");
    static char *const not_device[] = {"gpu",   "cuda:", "cuda:x",  "cuda:1 ",
                                       "cpu:0", "cpu:",  "cpu:v33", "cuda:1234"};
    for (size_t i = 0; i < sizeof not_device / sizeof *not_device; i++) {
        char line[100];
        snprintf(line, sizeof line, "--device: '%s' is none of auto|cpu[:base|:v3|:v4]|cuda[:N]",
                 not_device[i]);
        refused(PARSE("--dim=1", "x", "--device", not_device[i]), line);
    }
    assert_int_equal(PARSE("--dim=1", "x", "--device", "test").m.status, MSA_OK);
    assert_string_equal(PARSE("--dim=1", "x", "--skip", "").settings.skip, "");
    assert_int_equal(PARSE("--dim=1", "x", "--device", "cpu:v3").m.status, MSA_OK);
}

static void join_pair(struct msa *m, void *closure, const char *key, const char *value)
{
    (void)m;
    strcat(strcat(strcat(strcat(closure, key), ":"), value), ";");
}

static void read_pairs(struct msa *m)
{
    char joined[64] = "";
    option_pairs(m, "layers", "text=1,vision=a=b", joined, join_pair);
    assert_string_equal(joined, "text:1;vision:a=b;");
    option_pairs(m, "layers", m->operands[0], joined, join_pair);
}

static void pairs_and_words(void **state)
{
    (void)state;
    static char *const wrong[] = {"", "text", "=1", "text=", "text=1,", "text=1,,audio=2"};
    static const char *const named[] = {"", "text", "=1", "text=", "", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct msa m = {.program = "msa-test", .operands = (char **)&wrong[i]};
        char line[100];
        snprintf(line, sizeof line, "--layers: '%s' is not KEY=VALUE", named[i]);
        assert_int_equal(msa_run(&m, read_pairs), MSA_USAGE);
        assert_string_equal(m.error, line);
    }
    assert_true(option_names("text,vision", "text"));
    assert_true(option_names("text,vision", "vision"));
    assert_false(option_names("text,vision", "vis"));
    assert_false(option_names("text,vision", "text,vision"));
    assert_false(option_names("text,vision", "audio"));
    assert_false(option_names("text", ""));
}

/* ---- main ---- */

static void help_goes_to_stdout(void **state)
{
    (void)state;
    struct output o = MAIN(-1, "--help", "--unread");
    assert_int_equal(o.status, 0);
    assert_string_equal(o.err, "");
    const char *start = "usage: msa-test [options] FILE [FILE]\n\ntest a thing or two\n\noptions:\n"
                        "  -k, --keep                 keep what is consumed\n"
                        "      --dim N                width of the output (default: 32)\n";
    assert_memory_equal(o.out, start, strlen(start));
    assert_non_null(
        strstr(o.out, "  -p, --parameters FILE      what is trained (default: p.st)\n"));
    assert_non_null(strstr(o.out, "\ncommon options:\n  -h, --help "));
    assert_non_null(strstr(o.out, "\nexamples:\n  msa-test -k in.msa\n      tests and keeps\n"));
    assert_non_null(strstr(o.out, "\nsee also: msa-load(1), msa(7)\n"));
    assert_null(strstr(o.out, "test|"));
    for (const char *line = o.out; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    assert_string_equal(MAIN(-1, "-h").out, o.out);
    assert_string_equal(MAIN(-1, "--version").out, "msa-test " MSA_VERSION "\n");
}

static void help_has_forms(void **state)
{
    (void)state;
    struct output o = MAIN(-1, "--help=mdoc");
    assert_int_equal(o.status, 0);
    const char *start = ".Bl -tag -width Ds\n.It Fl k , Fl -keep\nKeep what is consumed.\n"
                        ".It Fl -dim Ar N\nWidth of the output.\nThe default is 32.\n";
    assert_memory_equal(o.out, start, strlen(start));
    assert_non_null(strstr(o.out, "\n.It Fl p Ar FILE , Fl -parameters Ar FILE\n"));
    assert_non_null(strstr(o.out, "\n.It Fl -skip Ar LIST\nWhat is left out.\nIt may be empty.\n"
                                  "The default is bias.\n"));
    assert_non_null(strstr(o.out, "\n.It Fl -no-crc\nWrite frames without checksums.\n.El\n"));
    o = MAIN(-1, "--help=names");
    assert_string_equal(
        o.out, "--keep\n--dim\n--seed\n--rate\n--free\n--mode\n--parameters\n"
               "--skip\n--init\n--freeze\n--help\n--version\n--quiet\n--verbose\n--output\n"
               "--gzip\n--device\n--precision\n--threads\n--progress\n--check-finite\n"
               "--max-frame\n--no-crc\n");
    o = MAIN(-1, "--help=tex");
    assert_int_equal(o.status, MSA_USAGE);
    assert_string_equal(o.out, "");
    assert_string_equal(o.err, "msa-test: --help: 'tex' is none of mdoc|names|bash|zsh\n");
}

static void main_reports_and_returns(void **state)
{
    (void)state;
    struct output o = MAIN(-1, "--dim=1", "x");
    assert_int_equal(o.status, 0);
    assert_string_equal(o.out, "worked\n");
    assert_string_equal(o.err, "msa-test: warning: odd\n");
    assert_string_equal(MAIN(-1, "--dim=1", "x", "-q").err, "");
    assert_string_equal(MAIN(-1, "--dim=1", "x", "-qv").err, "msa-test: working\n");
    o = MAIN(-1, "--dim=1", "fail", "-q");
    assert_int_equal(o.status, MSA_CORRUPT);
    assert_string_equal(o.err, "msa-test: frame 17, tensor 'a?b': no good\n");
    o = MAIN(-1, "--dim=1", "other");
    assert_int_equal(o.status, MSA_OTHER);
    assert_string_equal(o.err, "");
    o = MAIN(-1, "--dim=1", "false", "-q");
    assert_int_equal(o.status, MSA_FAILED);
    assert_string_equal(o.err, "");
    o = MAIN(-1, "--foo");
    assert_int_equal(o.status, MSA_USAGE);
    assert_string_equal(o.err, "msa-test: unknown option '--foo' (see msa-test --help)\n");
    struct program telling = program;
    telling.at_fail = tell;
    o = run_main(&telling, -1, 2, ARGV("--foo"));
    assert_int_equal(strncmp(o.err, "told: unknown", 13), 0);
}

static void stdout_that_cannot_be_written(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY), ends[2];
    assert_true(full >= 0);
    struct output o = MAIN(full, "--help");
    close(full);
    assert_int_equal(o.status, MSA_FAILED);
    assert_string_equal(o.err, "msa-test: cannot write stdout: No space left on device\n");

    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    o = MAIN(ends[1], "--dim=1", "-q", "x");
    close(ends[1]);
    assert_int_equal(o.status, MSA_CLOSED);
    assert_string_equal(o.err, "");

    int unwritable = open("/dev/null", O_RDONLY);
    o = MAIN(unwritable, "--help=names");
    close(unwritable);
    assert_int_equal(o.status, MSA_FAILED);
    assert_string_equal(o.err, "msa-test: cannot write stdout: Bad file descriptor\n");
}

static void open_a_file(struct msa *m)
{
    m->status = fileno(tmpfile()) > STDERR_FILENO ? MSA_OK : MSA_FAILED;
}

static void closed_descriptors_are_held(void **state)
{
    (void)state;
    struct program opening = program;
    opening.run = open_a_file;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        _exit(program_main(&opening, 3, ARGV("--dim=1", "x")));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MSA_OK);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_parsed_like_values),
        cmocka_unit_test(values_reach_their_fields),
        cmocka_unit_test(operands_may_stand_anywhere),
        cmocka_unit_test(some_options_are_not_told),
        cmocka_unit_test(wrong_names_are_refused),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(pairs_and_words),
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(help_has_forms),
        cmocka_unit_test(main_reports_and_returns),
        cmocka_unit_test(stdout_that_cannot_be_written),
        cmocka_unit_test(closed_descriptors_are_held),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
