/* The kernel tells of a mapped file that is shorter by now with SIGBUS, at the instruction that
 * reads it. So the handler may do what the code there could, and ends the run as that would. */
#include "common/run/cut.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A handler has no closure. */
static struct msa *watched;

/* The file that is mapped there, as the kernel knows it; "" where none is. */
static void find_path(uintptr_t at, char path[PATH_MAX])
{
    char line[PATH_MAX + 128];
    FILE *maps = fopen("/proc/self/maps", "r");
    path[0] = '\0';
    while (maps && fgets(line, sizeof line, maps)) {
        uintmax_t from, to;
        char found[PATH_MAX] = "";
        if (sscanf(line, "%jx-%jx %*s %*s %*s %*s %4095[^\n]", &from, &to, found) >= 2 &&
            at >= from && at < to)
            strcpy(path, found);
    }
    if (maps)
        fclose(maps);
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    char path[PATH_MAX];
    (void)context;
    if (info->si_code == BUS_ADRERR && watched->trap && gettid() == getpid()) {
        find_path((uintptr_t)info->si_addr, path);
        msa_fail(watched, MSA_FAILED, "cannot read '%s': it was cut while it was being read", path);
    }
    signal(number, SIG_DFL); /* and it comes again */
}

void cut_watch(struct msa *m)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER};
    watched = m;
    sigaction(SIGBUS, &action, NULL);
}
