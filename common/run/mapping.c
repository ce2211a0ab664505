/* Files that are read by being mapped. The kernel tells of one that is shorter by now with SIGBUS,
 * at the instruction that reads it, in whichever thread and library that is. So the handler only
 * maps zeros there, notes the file and returns; the run fails in order before anything that was
 * made of them goes out. */
#include "common/run/mapping.h"
#include "common/run/abrupt.h"
#include "common/run/file.h"
#include "common/run/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A mapping that the run will undo. */
struct mapped {
    struct mapped *next;
    const uint8_t *bytes; /* NULL: not mapped yet */
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

void mapping_watch(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGBUS, &action, NULL);
}

/* ---- What became shorter ---- */

static const struct mapped *first_cut(void)
{
    const struct mapped *one = all;
    while (one && !one->cut)
        one = one->next;
    return one;
}

static const char line[] = "%s: became shorter while it was read";

void mapping_check(struct msa *m)
{
    const struct mapped *one = first_cut();
    if (one)
        msa_fail(m, MSA_CORRUPT, line, one->path);
}

void mapping_explain(struct msa *m)
{
    const struct mapped *one = first_cut();
    if (!one)
        return;
    m->status = MSA_CORRUPT;
    snprintf(m->error, sizeof m->error, line, one->path);
    utf8_show(m->error);
}

/* ---- Mapping ---- */

static void undo(void *mapped)
{
    struct mapped *one = mapped, *before = NULL;
    for (struct mapped *at = all; at && at != one; at = at->next)
        before = at;
    if (before)
        before->next = one->next;
    else
        all = one->next;
    if (one->bytes)
        munmap((void *)one->bytes, one->size);
}

struct mapping mapping_open(struct msa *m, int fd, size_t size, const char *path)
{
    if (!size)
        return (struct mapping){0};
    struct mapped *one = msa_alloc(m, sizeof *one + strlen(path) + 1);
    strcpy(one->path, path);
    one->next = all;
    all = one;
    msa_at_free(one, undo);
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        msa_fail_errno(m, "cannot read '%s'", path);
    one->size = size;
    one->bytes = bytes;
    return (struct mapping){bytes, size};
}

struct mapping mapping_of(struct msa *m, const char *path)
{
    /* a FIFO is refused, not waited for */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    int *held = file_hold(m, fd);
    struct stat status;
    if (fstat(fd, &status) != 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    errno = EISDIR;
    if (S_ISDIR(status.st_mode))
        msa_fail_errno(m, "cannot read '%s'", path);
    if (!S_ISREG(status.st_mode))
        msa_fail(m, MSA_FAILED, "cannot read '%s': not a regular file", path);
    struct mapping map = mapping_open(m, fd, (size_t)status.st_size, path);
    msa_free(m, held);
    return map;
}

void mapping_forget(struct mapping map, const void *from, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)map.bytes,
              begin = ((uintptr_t)from + page - 1) / page * page,
              end = ((uintptr_t)from + size) / page * page;
    if (begin >= first && begin < end && end <= first + map.size)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void mapping_close(struct msa *m, struct mapping map)
{
    struct mapped *one = all;
    while (one && one->bytes != map.bytes)
        one = one->next;
    if (!map.bytes || !one)
        return;
    mapping_check(m);
    msa_free(m, one);
}
