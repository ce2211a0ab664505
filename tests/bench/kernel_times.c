/* What CUDA loads into a program where CUDA_INJECTION64_PATH names it: writes when each of the
 * program's kernels began and ended on the GPU, in nanoseconds of one clock for all programs, to a
 * file of this process in the folder that KERNEL_TIMES names.
 *
 * CUPTI is opened at run time. It tells of kernels from a thread of its own, to functions that take
 * nothing of ours, so the file has to be this object's. */
#include <cupti.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER = 1 << 20 };

static FILE *times;
static struct {
    __typeof__(&cuptiActivityRegisterCallbacks) listen;
    __typeof__(&cuptiActivityEnable) enable;
    __typeof__(&cuptiActivityGetNextRecord) next;
    __typeof__(&cuptiActivityFlushAll) flush;
} cupti;

static void CUPTIAPI give_buffer(uint8_t **buffer, size_t *size, size_t *most_records)
{
    *buffer = malloc(BUFFER);
    *size = *buffer ? BUFFER : 0;
    *most_records = 0;
}

static void CUPTIAPI take_buffer(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size,
                                 size_t filled)
{
    CUpti_Activity *record = NULL;
    (void)context, (void)stream, (void)size;
    while (cupti.next(buffer, filled, &record) == CUPTI_SUCCESS) {
        /* later structs begin with what this one has */
        const CUpti_ActivityKernel4 *kernel = (const void *)record;
        if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
            fprintf(times, "%" PRIu64 " %" PRIu64 "\n", kernel->start, kernel->end);
    }
    free(buffer);
}

static void end(void)
{
    cupti.flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    fflush(times);
}

/* Of the CUDA that this was built with; older ones add a minor number to its name. */
static void *open_cupti(void)
{
    char name[32];
    snprintf(name, sizeof name, "libcupti.so.%d", CUDA_VERSION / 1000);
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    return library ? library : dlopen("libcupti.so", RTLD_NOW | RTLD_LOCAL);
}

static FILE *open_times(void)
{
    char path[4096];
    const char *folder = getenv("KERNEL_TIMES");
    snprintf(path, sizeof path, "%s/%ld", folder, (long)getpid());
    return folder ? fopen(path, "w") : NULL;
}

/* CUDA calls it. Where CUPTI cannot be had, nothing is written. */
int InitializeInjection(void);
int InitializeInjection(void)
{
    void *library = open_cupti();
    if (!library)
        return 1;
    *(void **)&cupti.listen = dlsym(library, "cuptiActivityRegisterCallbacks");
    *(void **)&cupti.enable = dlsym(library, "cuptiActivityEnable");
    *(void **)&cupti.next = dlsym(library, "cuptiActivityGetNextRecord");
    *(void **)&cupti.flush = dlsym(library, "cuptiActivityFlushAll");
    if (cupti.listen && cupti.enable && cupti.next && cupti.flush && (times = open_times()) &&
        cupti.listen(give_buffer, take_buffer) == CUPTI_SUCCESS &&
        cupti.enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) == CUPTI_SUCCESS)
        atexit(end);
    return 1;
}
