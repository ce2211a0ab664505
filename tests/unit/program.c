/* Help and main() of a program (option.h). */
#include "tests/unit/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Running ---- */

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

/* ---- Help ---- */

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
               "--max-frame\n--wait\n--no-crc\n");
    o = MAIN(-1, "--help=tex");
    assert_int_equal(o.status, MSA_USAGE);
    assert_string_equal(o.out, "");
    assert_string_equal(o.err, "msa-test: --help: 'tex' is none of mdoc|names|variants|bash|zsh\n");
}

/* ---- main ---- */

static void tell(struct msa *m)
{
    fprintf(stderr, "told: %s\n", m->error);
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
        cmocka_unit_test(help_goes_to_stdout),
        cmocka_unit_test(help_has_forms),
        cmocka_unit_test(main_reports_and_returns),
        cmocka_unit_test(stdout_that_cannot_be_written),
        cmocka_unit_test(closed_descriptors_are_held),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
