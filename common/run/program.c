/* main() of every program. */
#include "common/run/abrupt.h"
#include "common/run/mapping.h"
#include "common/run/output_rules.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A run and the program it is one of; the run comes first, so that its address is that of both. */
struct job {
    struct msa m;
    const struct program *program;
};

/* Where a descriptor 0, 1 or 2 is closed, the next file opened would take its place, and be written
 * as if it were stdout. Fills them with what cannot be read or written. */
static void hold_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* The shell that runs a script dies at once where a signal ends it, and the programs of its line
 * would go on. */
static void end_with_parent(void)
{
    const char *wanted = getenv("MSA_END_WITH_PARENT");
    if (wanted && strcmp(wanted, "1") == 0)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
}

enum { STACK_LEAST = 256 << 10, STACK_USUAL = 8 << 20 }; /* bytes */

/* Of the main thread, whose stack grows up to the limit that it has at that moment. */
static void have_stack(struct msa *m)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= STACK_LEAST)
        return;
    limit.rlim_cur = limit.rlim_max < STACK_USUAL ? limit.rlim_max : STACK_USUAL;
    if (limit.rlim_cur < STACK_LEAST || setrlimit(RLIMIT_STACK, &limit) < 0)
        msa_fail(m, MSA_FAILED,
                 "the stack is limited to %ju bytes but expected at least %d (ulimit -s)",
                 (uintmax_t)limit.rlim_cur, STACK_LEAST);
}

static void job_body(struct msa *m)
{
    const struct program *program = ((struct job *)m)->program;
    have_stack(m);
    if (options_parse(m, program)) {
        outputs_check(m);
        program->run(m);
    }
    mapping_check(m);
    msa_flush(m, stdout, "stdout"); /* what could not be written shows here at the latest */
}

int program_main(const struct program *program, int argc, char **argv)
{
    struct job job = {
        .m = {.program = program->name, .argc = argc, .argv = argv, .at_fail = program->at_fail},
        .program = program};
    signal(SIGPIPE, SIG_IGN); /* a write to a closed pipe fails with EPIPE instead */
    end_with_parent();
    hold_descriptors();
    signal(SIGXFSZ, SIG_IGN); /* so does one to a file that may not grow, with EFBIG */
    mapping_watch();
    abrupt_watch(&job.m);
    enum msa_status status = msa_run(&job.m, job_body);
    abrupt_watch(NULL);
    if (job.m.error[0] && status != MSA_OTHER && status != MSA_CLOSED)
        fprintf(stderr, "%s: %s\n", program->name, job.m.error);
    return (int)status;
}
