/* The kernel tells of a mapped file that is shorter by now with SIGBUS, at the instruction that
 * reads it, in whichever thread and library that is. So the handler only maps zeros there, notes
 * the file and returns; the run fails in order before anything that was made of them goes out. */
#include "common/run/cut.h"
#include "common/run/abrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct mapped {
    struct mapped *next;
    const uint8_t *bytes;
    size_t size;
    atomic_bool cut;
    char path[];
};

/* A handler has no closure. */
static struct mapped *_Atomic all;

static struct mapped *mapped_at(const uint8_t *at)
{
    struct mapped *one = all;
    while (one && !(at >= one->bytes && at < one->bytes + one->size))
        one = one->next;
    return one;
}

/* From the page that is not there to the end: where one is not, the next are not either. */
static bool put_zeros(const struct mapped *one, const uint8_t *at)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)at / page * page,
              end = ((uintptr_t)one->bytes + one->size + page - 1) / page * page;
    return mmap((void *)begin, end - begin, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    struct mapped *one = info->si_code == BUS_ADRERR ? mapped_at(info->si_addr) : NULL;
    (void)context;
    if (one && put_zeros(one, info->si_addr))
        one->cut = true;
    else
        abrupt_crash(number);
}

void cut_watch(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGBUS, &action, NULL);
}

void cut_add(struct msa *m, const void *bytes, size_t size, const char *path)
{
    struct mapped *one = malloc(sizeof *one + strlen(path) + 1); /* as long as the mapping */
    if (!one)
        msa_fail(m, MSA_FAILED, "out of memory: '%s'", path);
    one->bytes = bytes;
    one->size = size;
    atomic_init(&one->cut, false);
    strcpy(one->path, path);
    one->next = all;
    all = one;
}

void cut_remove(const void *bytes)
{
    struct mapped *one = all, *before = NULL;
    while (one && one->bytes != bytes)
        before = one, one = one->next;
    if (!one)
        return;
    if (before)
        before->next = one->next;
    else
        all = one->next;
    free(one);
}

static const struct mapped *first_cut(void)
{
    const struct mapped *one = all;
    while (one && !one->cut)
        one = one->next;
    return one;
}

static const char line[] = "%s: became shorter while it was read";

void cut_check(struct msa *m)
{
    const struct mapped *one = first_cut();
    if (one)
        msa_fail(m, MSA_CORRUPT, line, one->path);
}

void cut_explain(struct msa *m)
{
    const struct mapped *one = first_cut();
    if (!one)
        return;
    m->status = MSA_CORRUPT;
    snprintf(m->error, sizeof m->error, line, one->path);
}
