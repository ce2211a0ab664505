/* The test device: the CPU's kernels on memory that nobody can touch in between.
 *
 * Every allocation has pages of its own, which are unlocked while a kernel or a copy runs and at no
 * other time, so that whoever reads a tensor by its pointer is killed on the spot (SIGSEGV), as on
 * a GPU. An allocation ends where its last page ends and what follows is never unlocked: a kernel
 * that writes beyond an end is found as well. New memory is full of NaN, and so is the host's that
 * a copy goes to, until somebody waits for it. */
#include "kernels/kernels.h"
#include "kernels/level.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGN = 64 };

/* One allocation: `size` bytes of whole pages from `start` on, then one page more as a guard. */
struct mapping {
    struct mapping *next;
    char *start;
    size_t size, guard;
    void *memory; /* what the user was given */
};

/* A copy to the host that nobody has waited for. */
struct arrival {
    struct arrival *next;
    void *to_host;
    size_t bytes;
    char from[];
};

struct test {
    struct device device;
    struct device *cpu;
    struct mapping *mappings;
    struct arrival *arrivals;
};

static struct test *test_of(struct device *d)
{
    return d->state;
}

/* Unlocks or locks all memory; returns the device whose kernels do the work. */
static struct device *protect(struct device *d, int protection)
{
    for (struct mapping *m = test_of(d)->mappings; m; m = m->next)
        if (mprotect(m->start, m->size, protection) != 0) {
            perror("msa: test device: mprotect");
            abort();
        }
    return test_of(d)->cpu;
}

static void *test_allocate(struct device *d, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
    struct mapping *m = calloc(1, sizeof *m);
    if (!m || size < bytes || size + page < size) {
        free(m);
        return NULL;
    }
    char *start = mmap(NULL, size + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(start, size, PROT_READ | PROT_WRITE) != 0) {
        free(m);
        return NULL;
    }
    memset(start, 0xff, size);
    mprotect(start, size, PROT_NONE);
    size_t rounded = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    *m = (struct mapping){test_of(d)->mappings, start, size, page, start + size - rounded};
    test_of(d)->mappings = m;
    return m->memory;
}

static void test_release(struct device *d, void *memory)
{
    for (struct mapping **at = &test_of(d)->mappings; *at; at = &(*at)->next)
        if ((*at)->memory == memory) {
            struct mapping *m = *at;
            *at = m->next;
            munmap(m->start, m->size + m->guard);
            free(m);
            return;
        }
    if (memory) {
        fputs("msa: test device: released what it had not allocated\n", stderr);
        abort();
    }
}

static void test_copy_in(struct device *d, void *to, const void *from_host, size_t bytes)
{
    struct device *cpu = protect(d, PROT_READ | PROT_WRITE);
    cpu->copy_in(cpu, to, from_host, bytes);
    protect(d, PROT_NONE);
}

static void test_copy_out(struct device *d, void *to_host, const void *from, size_t bytes)
{
    struct arrival *a = malloc(sizeof *a + bytes);
    if (!a) {
        d->failed = "not enough memory for a copy";
        return;
    }
    *a = (struct arrival){.next = test_of(d)->arrivals, .to_host = to_host, .bytes = bytes};
    test_of(d)->arrivals = a;
    struct device *cpu = protect(d, PROT_READ | PROT_WRITE);
    cpu->copy_out(cpu, a->from, from, bytes);
    protect(d, PROT_NONE);
    if (bytes)
        memset(to_host, 0xff, bytes);
}

/* Hands over what has been copied, or drops it. */
static void end_copies(struct device *d, bool arrive)
{
    for (struct arrival *a; (a = test_of(d)->arrivals);) {
        test_of(d)->arrivals = a->next;
        if (arrive && a->bytes)
            memcpy(a->to_host, a->from, a->bytes);
        free(a);
    }
}

static void test_wait(struct device *d)
{
    end_copies(d, true);
}

static void test_close(struct device *d)
{
    struct test *test = test_of(d);
    end_copies(d, false);
    while (test->mappings)
        test_release(d, test->mappings->memory);
    test->cpu->close(test->cpu);
    free(test);
}

#define KERNEL(name, parameters, arguments)                                                        \
    static void test_##name parameters                                                             \
    {                                                                                              \
        struct device *outer = d;                                                                  \
        d = protect(outer, PROT_READ | PROT_WRITE);                                                \
        d->k.name arguments;                                                                       \
        outer->failed = d->failed;                                                                 \
        protect(outer, PROT_NONE);                                                                 \
    }
#include "kernels/table.def"
#undef KERNEL

/* The best CPU object of those that lie beside this one. */
static struct device *open_cpu(int index, int threads, char *error, size_t error_size)
{
    Dl_info here;
    char path[4096];
    static const char anchor;
    if (!dladdr(&anchor, &here)) {
        snprintf(error, error_size, "the test device does not know where it is");
        return NULL;
    }
    const char *slash = strrchr(here.dli_fname, '/');
    int directory = slash ? (int)(slash - here.dli_fname) : 1;
    snprintf(path, sizeof path, "%.*s/msa-cpu-%s.so", directory, slash ? here.dli_fname : ".",
             level_best());
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    msa_device_open_fn *open =
        object ? (msa_device_open_fn *)dlsym(object, "msa_device_open") : NULL;
    if (open)
        return open(index, threads, error, error_size);
    snprintf(error, error_size, "%s", dlerror());
    return NULL;
}

__attribute__((visibility("default"))) msa_device_open_fn msa_device_open;

struct device *msa_device_open(int index, int threads, char *error, size_t error_size)
{
    struct device *cpu = open_cpu(index, threads, error, error_size);
    if (!cpu)
        return NULL;
    struct test *test = calloc(1, sizeof *test);
    if (!test) {
        snprintf(error, error_size, "not enough memory");
        cpu->close(cpu);
        return NULL;
    }
    test->cpu = cpu;
    test->device = (struct device){.name = "test",
                                   .threads = cpu->threads,
                                   .state = test,
                                   .allocate = test_allocate,
                                   .release = test_release,
                                   .copy_in = test_copy_in,
                                   .copy_out = test_copy_out,
                                   .wait = test_wait,
                                   .close = test_close,
                                   .k = {
#define KERNEL(name, parameters, arguments) .name = test_##name,
#include "kernels/table.def"
#undef KERNEL
                                   }};
    return &test->device;
}
