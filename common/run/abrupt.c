/* What is said here is said in a handler of a signal or of exit(), where the rest of the process
 * may be in any state, short of memory at least. So the line comes first and by write() alone;
 * telling the other stages may then fail, or wait for a lock that will never be free, but not for
 * long. */
#include "common/run/abrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE = 2 /* s */, STACK = 1 << 17 /* bytes */ };

/* Handlers have no closure. */
static struct msa *watched;
static atomic_int state;
enum { RUN_OVER, RUN_GOES_ON, SPEAKING };

static void end_now(int number)
{
    (void)number;
    _exit(MSA_DEVICE);
}

static void say(const struct msa *m)
{
    char line[sizeof m->error + 64];
    int length = snprintf(line, sizeof line, "%s: %s\n", m->program, m->error);
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written; /* there is nobody else to tell */
}

/* Of several threads that come here one speaks, and the others wait for the end; so does one that
 * crashes while it speaks. Returns at once where the run is over. */
static void last_words(const char *line)
{
    int before = atomic_exchange(&state, SPEAKING);
    while (before == SPEAKING)
        pause();
    if (before == RUN_OVER)
        return;
    signal(SIGALRM, end_now);
    alarm(PATIENCE);
    snprintf(watched->error, sizeof watched->error, "%s", line);
    watched->status = MSA_DEVICE;
    say(watched);
    msa_tell(watched);
}

static void on_abort(int number)
{
    last_words("a library that it uses gave up (abort): is there too little memory?");
    end_now(number);
}

static void on_exit_of_process(void)
{
    if (state == RUN_OVER)
        return;
    last_words("a library that it uses ended it (exit): are there too few threads, or too little "
               "memory?");
    end_now(0);
}

/* When the handler has returned; it leaves a core file where that is wanted. */
static void end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* The soft limit; at the hard one the kernel kills without a word. */
static void on_time_limit(int number)
{
    last_words("the processor time that it may take is used up (ulimit -t)");
    end_by(number);
}

void abrupt_crash(int number)
{
    const char *name = sigabbrev_np(number);
    char line[128];
    snprintf(line, sizeof line,
             "crashed (SIG%s): a fault of this program, or of a library with too little memory or "
             "stack",
             name ? name : "?");
    last_words(line);
    end_by(number);
}

/* Unless somebody else handles it: a sanitizer has more to say. */
static void handle(int number, void (*handler)(int))
{
    struct sigaction now, action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        sigaction(number, &action, NULL);
}

void abrupt_watch(struct msa *m)
{
    static char stack[STACK]; /* the program's own may be what is used up */
    static const int crashes[] = {SIGSEGV, SIGILL, SIGFPE};
    watched = m;
    state = m ? RUN_GOES_ON : RUN_OVER;
    if (!m)
        return;
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    atexit(on_exit_of_process);
    handle(SIGABRT, on_abort);
    handle(SIGXCPU, on_time_limit);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        handle(crashes[i], abrupt_crash);
}
