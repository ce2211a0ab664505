/* As much of CUDA's interface as kernels/cuda uses, on the host: the very same sources are compiled
 * by the C++ compiler and run without a GPU, as device "emulated", so that every test of a kernel
 * is one of the GPU's kernels too. emulation.cpp says what it finds out, and what it cannot. */
#ifndef TESTS_EMULATION_CUDA_RUNTIME_H
#define TESTS_EMULATION_CUDA_RUNTIME_H

#include <functional>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- what code on the device is written with */

#define __global__
#define __device__
#define __host__
/* One block runs at a time, so a block's memory can be the process's. In the host's thread-local
 * memory nothing else of this object is, so that it can be filled with NaN before each block; the
 * address sanitizer has no eye on that, but on other static memory. */
#ifdef __SANITIZE_ADDRESS__
#    define __shared__ static
#else
#    define __shared__ static thread_local
#endif

#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct float2 {
    float x, y;
} __attribute__((aligned(8)));

struct float4 {
    float x, y, z, w;
} __attribute__((aligned(16)));

/* Where the code that runs now is. */
extern dim3 threadIdx, blockIdx, blockDim, gridDim;
/* What the launch has given to the block that runs. */
extern float4 *block_memory;

/* A product that is rounded before anything is added to it: built without contraction, all are. */
static inline float __fmul_rn(float a, float b)
{
    return a * b;
}

/* Waits until all threads of the block, or of the warp, are at the same line; returns whether
 * `value` was not 0 for any of them. */
bool emulated_wait(bool warp, bool value, const char *file, int line);
#define __syncthreads()        ((void)emulated_wait(false, false, __FILE__, __LINE__))
#define __syncthreads_or(flag) emulated_wait(false, flag, __FILE__, __LINE__)
#define __syncwarp()           ((void)emulated_wait(true, false, __FILE__, __LINE__))
/* What thread `from` of the warp gives; all 32 take part. */
uint64_t emulated_exchange(uint64_t given, unsigned from, const char *file, int line);

template <class T> static T emulated_shuffle(T value, unsigned from, const char *file, int line)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emulated_exchange(bits, from % 32, file, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}
#define __shfl_sync(mask, value, from)                                                             \
    emulated_shuffle(((void)(mask), value), (unsigned)(from), __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, other)                                                        \
    emulated_shuffle(((void)(mask), value), threadIdx.x ^ (other), __FILE__, __LINE__)

/* --- what code on the host calls */

typedef enum {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidDevice = 101
} cudaError_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrComputeCapabilityMajor };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
typedef struct emulated_stream *cudaStream_t;
typedef struct emulated_event *cudaEvent_t;

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

const char *cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t *left, size_t *total);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMallocHost(void **memory, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream);

/* Puts work into the stream, which does it when somebody waits for it. */
void emulated_enqueue(cudaStream_t stream, std::function<void()> work);
cudaError_t emulated_launch(const struct cudaLaunchConfig_t *config, std::function<void()> thread);

/* As much as all GPUs allow that we allow (compute capability 8.6). */
template <class Kernel>
static cudaError_t cudaFuncSetAttribute(Kernel *, enum cudaFuncAttribute, int bytes)
{
    return bytes <= 99 << 10 ? cudaSuccess : cudaErrorInvalidValue;
}

template <class... Parameters>
static cudaError_t cudaLaunchKernelEx(const struct cudaLaunchConfig_t *config,
                                      void (*kernel)(Parameters...), Parameters... arguments)
{
    return emulated_launch(config, [=] { kernel(arguments...); });
}

#endif
