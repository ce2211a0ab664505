/* What the GPU's kernels share: their declarations, how they are started, and what the threads of a
 * warp and of a block do together.
 *
 * All work of a lane is in one stream, so its kernels follow one another in the order of the calls,
 * and nobody waits for them but `wait`. Sums have a fixed order: there are no atomics, and what a
 * thread adds up does not depend on timing. The same sources are compiled for the tests by the C++
 * compiler, against an emulation of CUDA (tests/emulation). */
#ifndef MSA_CUDA_H
#define MSA_CUDA_H

#include <cuda_runtime.h>

#define SCALAR static __device__ inline
extern "C" {
#include "kernels/arithmetic.h"
#include "kernels/kernels.h"
#include "kernels/losses.h"
#include "kernels/mask.h"
#include "kernels/philox.h"
#include "kernels/products.h"
#include "kernels/sigmoid.h"
#include "kernels/sinusoid.h"

#define KERNEL(name, parameters, arguments) void cuda_##name parameters;
#include "kernels/table.def"
#undef KERNEL
}

enum {
    WARP = 32,
    THREADS = 256, /* of a block, where nothing else is said */
    WARPS = THREADS / WARP,
    SPAN = 8 * WARP /* elements whose dropout a warp decides at a time */
};

static const unsigned everyone = 0xffffffff; /* all threads of a warp */

/* --- what a kernel asks of its device, on the host */

/* The device has failed, unless it has before: why, as printf has it. */
void cuda_fail(struct device *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Has `what` worked? If not, the device has failed. */
bool cuda_worked(struct device *d, cudaError_t status, const char *what);
cudaStream_t cuda_stream(const struct device *d);
/* Working memory of one kernel call, good until the next call in this lane; the device keeps it.
 * NULL when there is not enough: the device has failed then, and the kernel returns. */
void *cuda_scratch(struct device *d, size_t bytes);
/* In lane 0: to = from_host, by way of the staging memory; from_host may be reused at once. */
void cuda_copy_in(struct device *d, void *to, const void *from_host, size_t bytes);
/* c[m,n] = op(a)[m,k] op(b)[k,n] + bias[n] + beta c, where op transposes for 'T' and not for 'N',
 * and lda, ldb, ldc are the lengths of the rows as they are stored; bias may be NULL. */
void cuda_product(struct device *d, char op_a, char op_b, size_t m, size_t n, size_t k,
                  const float *a, size_t lda, const float *b, size_t ldb, const float *bias,
                  float beta, float *c, size_t ldc);
/* c = the product + beta c; all matrices of a batch lie one behind the other. */
void cuda_products(struct device *d, const struct product *product, float beta, float *c);
/* Blocks for so much work of which one does `each` before it looks for more; no more of them than
 * keep the device busy. */
size_t cuda_blocks(const struct device *d, size_t work, size_t each);

static __host__ __device__ inline size_t pieces(size_t whole, size_t piece)
{
    return (whole + piece - 1) / piece;
}

/* Starts a kernel whose blocks have `memory` bytes of their own beside what it declares
 * (block_memory_as). */
template <class... Parameters, class... Arguments>
static void launch_with(struct device *d, size_t memory, void (*kernel)(Parameters...),
                        size_t blocks, unsigned threads, Arguments... arguments)
{
    if (d->failed || !blocks)
        return;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)blocks);
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = memory;
    config.stream = cuda_stream(d);
    if (blocks > INT32_MAX)
        cuda_worked(d, cudaErrorInvalidConfiguration, "start of a kernel");
    else if (!memory ||
             cuda_worked(d,
                         cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                              (int)memory),
                         "memory of a kernel's blocks"))
        cuda_worked(d, cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
                    "start of a kernel");
}

template <class... Parameters, class... Arguments>
static void launch(struct device *d, void (*kernel)(Parameters...), size_t blocks, unsigned threads,
                   Arguments... arguments)
{
    launch_with(d, 0, kernel, blocks, threads, arguments...);
}

/* --- what threads know of each other, on the device */

static __device__ inline unsigned lane()
{
    return threadIdx.x % WARP;
}

/* This thread or warp among all of the grid, and how many there are. */
static __device__ inline size_t thread_in_grid()
{
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ inline size_t threads_in_grid()
{
    return (size_t)gridDim.x * blockDim.x;
}

static __device__ inline size_t warp_in_grid()
{
    return thread_in_grid() / WARP;
}

static __device__ inline size_t warps_in_grid()
{
    return threads_in_grid() / WARP;
}

#ifdef __CUDACC__ /* the emulation has its own */
extern __shared__ float4 block_memory[];
#endif

/* What the launch has given to the block. */
template <class T> static __device__ T &block_memory_as()
{
    return *reinterpret_cast<T *>(block_memory);
}

/* A gradient by an input goes to its place: added to what is there, or over it. */
static __device__ inline void put(float *to, float value, bool add)
{
    *to = add ? *to + value : value;
}

/* f of all values in a warp, which each of its threads gets; of those whose numbers are the same
 * modulo `every`. */
template <class T, class F> static __device__ T over_warp(T value, F f, unsigned every = 1)
{
    for (unsigned offset = WARP / 2; offset >= every; offset /= 2)
        value = f(value, __shfl_xor_sync(everyone, value, offset));
    return value;
}

/* Their sum. */
template <class T> static __device__ T warp_sum(T value)
{
    return over_warp(value, [](T a, T b) { return a + b; });
}

/* … in a block of THREADS. */
template <class T> static __device__ T block_sum(T value)
{
    __shared__ T parts[WARPS];
    value = warp_sum(value);
    if (lane() == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    T sum = 0;
    for (unsigned i = 0; i < WARPS; i++)
        sum += parts[i];
    __syncthreads(); /* parts may be used again */
    return sum;
}

/* --- dropout */

/* Bit e: element 8 group + e is kept. */
static __device__ inline unsigned kept_of(const struct mask &mask, uint64_t group)
{
    if (!mask.threshold)
        return 0xff;
    const uint32_t counter[4] = {(uint32_t)group, (uint32_t)(group >> 32), mask.from.step,
                                 mask.from.site};
    const uint32_t key[2] = {(uint32_t)mask.from.seed, (uint32_t)(mask.from.seed >> 32)};
    uint32_t words[4];
    unsigned kept = 0;
    philox4x32(words, counter, key);
    for (int e = 0; e < 8; e++)
        kept |= (unsigned)((words[e / 2] >> e % 2 * 16 & 0xffff) >= mask.threshold) << e;
    return kept;
}

/* The factor of one element; where there are many, each_kept is eight times as cheap. */
static __device__ inline float factor_of(const struct mask &mask, uint64_t element)
{
    return kept_of(mask, element / 8) >> element % 8 & 1 ? mask.scale : 0;
}

/* body(i, factor) for each i < n, of the elements from `first` on. The threads of a warp do it
 * together, for the spans that are left to this one of `warps`; all of them must call it. Each
 * draws the bits of eight elements, and then takes every 32nd element, so that neighbours in a warp
 * are neighbours in memory. */
template <class Body>
static __device__ void each_kept(const struct mask &mask, uint64_t first, uint64_t n, size_t warp,
                                 size_t warps, Body body)
{
    for (uint64_t at = first / 8 * 8 + warp * SPAN; at < first + n; at += warps * SPAN) {
        unsigned kept = kept_of(mask, at / 8 + lane());
        for (unsigned k = 0; k < SPAN / WARP; k++) {
            unsigned group = __shfl_sync(everyone, kept, (int)(k * WARP / 8 + lane() / 8));
            uint64_t element = at + k * WARP + lane();
            if (element >= first && element < first + n)
                body(element - first, group >> lane() % 8 & 1 ? mask.scale : 0.0f);
        }
    }
}

/* … by all warps of the grid, the elements beginning at 0. */
template <class Body>
static __device__ void each_kept_in_grid(const struct mask &mask, uint64_t n, Body body)
{
    each_kept(mask, 0, n, warp_in_grid(), warps_in_grid(), body);
}

/* body(i) for each i < n that is left to this thread of the grid */
template <class Body> static __device__ void each_in_grid(size_t n, Body body)
{
    for (size_t i = thread_in_grid(); i < n; i += threads_in_grid())
        body(i);
}

/* body(i) for each i < n that is left to this thread of the warp */
template <class Body> static __device__ void each_in_warp(size_t n, Body body)
{
    for (size_t i = lane(); i < n; i += WARP)
        body(i);
}

/* body(r) for each row that is left to this warp of the grid */
template <class Body> static __device__ void each_row(size_t rows, Body body)
{
    for (size_t r = warp_in_grid(); r < rows; r += warps_in_grid())
        body(r);
}

#endif
