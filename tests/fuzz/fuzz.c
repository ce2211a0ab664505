/* Inputs as files, and runs over them. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum msa_status fuzz_run(struct fuzz *f, const uint8_t *data, size_t size,
                         void (*body)(struct msa *))
{
    static char program[] = "msa-fuzz";
    static char *argv[] = {program, NULL};
    *f = (struct fuzz){.m = {.program = program, .argc = 1, .argv = argv, .common.quiet = true},
                       .data = data,
                       .size = size,
                       .path = f->path};
    return msa_run(&f->m, body);
}

enum msa_status fuzz_run_file(struct fuzz *f, const uint8_t *data, size_t size,
                              void (*body)(struct msa *))
{
    char path[32];
    int fd = fuzz_descriptor(data, size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    f->path = path;
    enum msa_status status = fuzz_run(f, data, size, body);
    close(fd);
    return status;
}

int fuzz_descriptor(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    fuzz_expect(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size, "a file in memory");
    return fd;
}

static void close_null(void *file)
{
    fclose(*(FILE **)file);
}

FILE *fuzz_null(struct msa *m)
{
    FILE **null = msa_alloc(m, sizeof *null);
    *null = fopen("/dev/null", "w");
    fuzz_expect(*null, "/dev/null");
    msa_at_free(null, close_null);
    return *null;
}

void fuzz_expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "expected: %s\n", what);
    abort();
}
