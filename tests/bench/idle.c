/* A device that computes nothing: its memory is the host's, copies are made, and kernels return at
 * once. What a line takes on it is what it takes to carry numbers from program to program. */
#include "kernels/kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

enum { ALIGNED = 64 };

/* Zeros, so that what is carried is finite, of pages that are not there before they are used: much
 * never is. Its size is in front of it. */
static void *idle_allocate(struct device *d, size_t bytes)
{
    size_t size = bytes + ALIGNED;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    *(size_t *)memory = size;
    return memory + ALIGNED;
}

static void idle_release(struct device *d, void *memory)
{
    char *whole = memory ? (char *)memory - ALIGNED : NULL;
    if (whole)
        munmap(whole, *(size_t *)whole);
}

static void idle_copy(struct device *d, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static void idle_wait(struct device *d) {}

static void idle_close(struct device *d)
{
    free(d);
}

#define KERNEL(name, parameters, arguments)                                                        \
    static void idle_##name parameters {}
#include "kernels/table.def"
#undef KERNEL

__attribute__((visibility("default"))) msa_device_open_fn msa_device_open;

struct device *msa_device_open(int index, int threads, char *error, size_t error_size)
{
    struct device *d = calloc(1, sizeof *d);
    if (!d) {
        snprintf(error, error_size, "not enough memory");
        return NULL;
    }
    *d = (struct device){.name = "idle",
                         .threads = 1,
                         .allocate = idle_allocate,
                         .release = idle_release,
                         .copy_in = idle_copy,
                         .copy_out = idle_copy,
                         .wait = idle_wait,
                         .close = idle_close,
                         .k = {
#define KERNEL(name, parameters, arguments) .name = idle_##name,
#include "kernels/table.def"
#undef KERNEL
                         }};
    return d;
}
