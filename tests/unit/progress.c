/* The progress line (progress.h). */
#include "common/run/progress.h"

#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void show(enum msa_progress when, bool quiet)
{
    struct msa m = {.common = {.progress = (int)when, .quiet = quiet}};
    struct progress p = progress_start(&m);
    progress_show(&p, false, "step %d", 1000);
    progress_show(&p, false, "too soon");
    p.last = 0;
    progress_show(&p, false, "step %d", 10);
    progress_clear(&p);
    progress_show(&p, true, "step %d", 2);
    progress_clear(&p);
}

/* What show() writes to a terminal of its own that is `columns` wide, or to a file (columns 0). */
static void shows(int columns, enum msa_progress when, bool quiet, const char *text)
{
    char found[256] = "";
    FILE *file = tmpfile();
    int terminal = fileno(file);
    struct winsize size = {.ws_row = 5, .ws_col = (unsigned short)columns};
    pid_t child = columns ? forkpty(&terminal, NULL, NULL, &size) : fork();
    if (child == 0) {
        if (!columns)
            dup2(terminal, STDERR_FILENO);
        show(when, quiet);
        _exit(0);
    }
    if (child < 0 && columns)
        skip(); /* no pseudo-terminals here */
    assert_true(child > 0);
    size_t length = 0;
    if (!columns)
        waitpid(child, NULL, 0);
    if (!columns)
        lseek(terminal, 0, SEEK_SET);
    for (ssize_t n; (n = read(terminal, found + length, sizeof found - 1 - length)) > 0;)
        length += (size_t)n; /* a terminal ends with EIO when the child has gone */
    if (columns) {
        waitpid(child, NULL, 0);
        close(terminal);
    }
    fclose(file);
    assert_string_equal(found, text);
}

static void progress_is_for_those_who_see_it(void **state)
{
    (void)state;
    fflush(stdout);
    const char *line = "\rstep 1000\rstep 10  \r       \r\rstep 2\r\n";
    shows(80, MSA_PROGRESS_AUTO, false, line);
    shows(80, MSA_PROGRESS_ALWAYS, true, line);
    shows(7, MSA_PROGRESS_AUTO, false, "\rstep 1\rstep 1\r      \r\rstep 2\r\n");
    shows(80, MSA_PROGRESS_AUTO, true, "");
    shows(80, MSA_PROGRESS_NEVER, false, "");
    shows(0, MSA_PROGRESS_AUTO, false, "");
    shows(0, MSA_PROGRESS_ALWAYS, false, "step 1000\nstep 10\nstep 2\n");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_for_those_who_see_it),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
