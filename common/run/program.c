/* main() of every program. */
#include "common/run/cut.h"
#include "common/run/output_rules.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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

static void job_body(struct msa *m)
{
    const struct program *program = ((struct job *)m)->program;
    if (options_parse(m, program)) {
        outputs_check(m);
        program->run(m);
    }
    cut_check(m);
    msa_flush(m, stdout, "stdout"); /* what could not be written shows here at the latest */
}

int program_main(const struct program *program, int argc, char **argv)
{
    struct job job = {
        .m = {.program = program->name, .argc = argc, .argv = argv, .at_fail = program->at_fail},
        .program = program};
    signal(SIGPIPE, SIG_IGN); /* a write to a closed pipe fails with EPIPE instead */
    hold_descriptors();
    signal(SIGXFSZ, SIG_IGN); /* so does one to a file that may not grow, with EFBIG */
    cut_watch();
    enum msa_status status = msa_run(&job.m, job_body);
    if (job.m.error[0] && status != MSA_OTHER && status != MSA_CLOSED)
        fprintf(stderr, "%s: %s\n", program->name, job.m.error);
    return (int)status;
}
