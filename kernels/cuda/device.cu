/* The GPU as a device: its memory, its errors, and the table of its kernels. CUDA_NAME is what it
 * is called, CUDA_DRIVER the library without which there is none; the emulation has others. */
#include "kernels/cuda/state.h"
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef CUDA_NAME
#    define CUDA_NAME   "cuda"
#    define CUDA_DRIVER "libcuda.so.1"
#endif

enum { BLOCKS_PER_PROCESSOR = 16, LEAST_MAJOR = 8 };

void cuda_fail(struct device *d, const char *format, ...)
{
    struct cuda *cuda = cuda_of(d);
    va_list arguments;
    if (d->failed)
        return;
    va_start(arguments, format);
    vsnprintf(cuda->failure, sizeof cuda->failure, format, arguments);
    va_end(arguments);
    d->failed = cuda->failure;
}

bool cuda_worked(struct device *d, cudaError_t status, const char *what)
{
    if (status != cudaSuccess)
        cuda_fail(d, "%s: %s", what, cudaGetErrorString(status));
    return status == cudaSuccess;
}

cudaStream_t cuda_stream(const struct device *d)
{
    return lane_of(d)->stream;
}

size_t cuda_blocks(const struct device *d, size_t work, size_t each)
{
    size_t blocks = pieces(work, each), most = cuda_of(d)->most_blocks;
    return blocks < most ? blocks : most;
}

/* --- memory */

static size_t cuda_left(struct device *d)
{
    (void)d;
    size_t left = 0, total = 0;
    return cudaMemGetInfo(&left, &total) == cudaSuccess ? left : 0;
}

/* Too much is no failure of the device: CUDA's memory of it is cleared. */
static void *cuda_allocate(struct device *d, size_t bytes)
{
    (void)d;
    void *memory = NULL;
    if (cudaMalloc(&memory, bytes ? bytes : 1) == cudaSuccess)
        return memory;
    cudaGetLastError();
    return NULL;
}

/* Kernels that use it may not have run yet. */
static void cuda_release(struct device *d, void *memory)
{
    if (memory && cuda_wait_for_lanes(d))
        cuda_worked(d, cudaFree(memory), "release of memory");
}

void *cuda_scratch(struct device *d, size_t bytes)
{
    struct lane *lane = lane_of(d);
    if (bytes <= lane->scratch_size)
        return lane->scratch;
    cuda_release(d, lane->scratch);
    lane->scratch = cuda_allocate(d, bytes);
    lane->scratch_size = lane->scratch ? bytes : 0;
    if (!lane->scratch)
        cuda_fail(d, "not enough memory for a kernel: %zu bytes, %zu are free", bytes,
                  cuda_left(d));
    return lane->scratch;
}

/* --- opening and closing */

static void cuda_close(struct device *d)
{
    struct cuda *cuda = cuda_of(d);
    cuda_wait_for_lanes(d);
    cuda_close_products(d);
    cuda_close_stages(d);
    cuda_close_lanes(d);
    free(cuda);
}

static int attribute(struct device *d, enum cudaDeviceAttr which, int index)
{
    int value = 0;
    cuda_worked(d, cudaDeviceGetAttribute(&value, which, index), "question about the GPU");
    return value;
}

/* Makes GPU `index` the one that this thread uses. CUDA is not asked where there is no driver: it
 * would take a while. */
static void choose(struct device *d, int index)
{
    int count = 0;
    if (!dlopen(CUDA_DRIVER, RTLD_LAZY | RTLD_LOCAL)) {
        cuda_fail(d, "no driver: %s", dlerror());
        return;
    }
    if (!cuda_worked(d, cudaGetDeviceCount(&count), "no GPU"))
        return;
    if (index >= count)
        cuda_fail(d, "there is no GPU %d, but %d, numbered from 0", index, count);
    else if (attribute(d, cudaDevAttrComputeCapabilityMajor, index) < LEAST_MAJOR && !d->failed)
        cuda_fail(d, "GPU %d is older than compute capability %d.0", index, LEAST_MAJOR);
    else
        cuda_worked(d, cudaSetDevice(index), "choice of the GPU");
}

static void begin(struct device *d, int index)
{
    struct cuda *cuda = cuda_of(d);
    choose(d, index);
    if (d->failed)
        return;
    cuda->most_blocks =
        (size_t)attribute(d, cudaDevAttrMultiProcessorCount, index) * BLOCKS_PER_PROCESSOR;
    if (cuda_open_products(d) && cuda_open_lanes(d))
        cuda_open_stages(d);
}

static const char *cuda_set_precision(struct device *d, enum precision precision)
{
    static const char *const names[] = {"", ":tf32", ":bf16"};
    struct cuda *cuda = cuda_of(d);
    cuda->precision = precision;
    snprintf(cuda->name, sizeof cuda->name, "%s:%d%s", CUDA_NAME, cuda->index, names[precision]);
    return NULL;
}

extern "C" __attribute__((visibility("default"))) msa_device_open_fn msa_device_open;

struct device *msa_device_open(int index, int, char *error, size_t error_size)
{
    struct cuda *cuda = static_cast<struct cuda *>(calloc(1, sizeof *cuda));
    if (!cuda) {
        snprintf(error, error_size, "not enough memory");
        return NULL;
    }
    struct device *d = &cuda->device;
    cuda->index = index;
    d->name = cuda->name;
    d->threads = 1;
    d->state = cuda;
    d->allocate = cuda_allocate;
    d->release = cuda_release;
    d->left = cuda_left;
    d->copy_in = cuda_copy_in;
    d->copy_out = cuda_copy_out;
    d->wait = cuda_wait;
    d->lane = cuda_lane;
    d->set_precision = cuda_set_precision;
    d->close = cuda_close;
#define KERNEL(name, parameters, arguments) d->k.name = cuda_##name;
#include "kernels/table.def"
#undef KERNEL
    cuda_set_precision(d, PRECISION_F32);
    begin(d, index);
    if (!d->failed)
        return d;
    snprintf(error, error_size, "%s", d->failed);
    cuda_close(d);
    return NULL;
}
