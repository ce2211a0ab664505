/* CUDA's memory, streams and products on the host (see emulation.cpp). */
#include <cublas_v2.h>
#include <deque>
#include <dnnl.h>
#include <map>
#include <stdlib.h>
#include <vector>

static const size_t memory_in_all = (size_t)4 << 30;

struct emulated_stream {
    std::deque<std::function<void()>> work;
    size_t begun, enqueued; /* pieces of work so far */
};

struct emulated_event {
    struct emulated_stream *stream; /* NULL: not recorded yet */
    size_t at;                      /* of the stream's work when it was */
};

struct emulated_blas {
    cudaStream_t stream;
};

static size_t memory_used;
static std::map<void *, size_t> memory; /* of the device */

/* --- questions */

const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaErrorMemoryAllocation ? "out of memory" : "emulated error";
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int)
{
    *value = which == cudaDevAttrComputeCapabilityMajor ? 9 : 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device ? cudaErrorInvalidDevice : cudaSuccess;
}

/* --- streams and events */

static void run_until(cudaStream_t stream, size_t end)
{
    while (stream->begun < end) {
        std::function<void()> work = std::move(stream->work.front());
        stream->work.pop_front();
        stream->begun++;
        work();
    }
}

void emulated_enqueue(cudaStream_t stream, std::function<void()> work)
{
    stream->work.push_back(std::move(work));
    stream->enqueued++;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = new struct emulated_stream();
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    run_until(stream, stream->enqueued);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaStreamSynchronize(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new struct emulated_event();
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    *event = {stream, stream->enqueued};
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (event->stream)
        run_until(event->stream, event->at);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

/* --- memory */

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    *total = memory_in_all;
    *left = memory_in_all - memory_used;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **to, size_t bytes)
{
    if (bytes > memory_in_all - memory_used || posix_memalign(to, 256, bytes) != 0)
        return cudaErrorMemoryAllocation;
    memset(*to, 0xff, bytes);
    memory_used += memory[*to] = bytes;
    return cudaSuccess;
}

/* Does not wait for work that uses it. */
cudaError_t cudaFree(void *of)
{
    if (!of)
        return cudaSuccess;
    auto found = memory.find(of);
    if (found == memory.end())
        return cudaErrorInvalidValue;
    memory_used -= found->second;
    memory.erase(found);
    free(of);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **to, size_t bytes)
{
    *to = malloc(bytes);
    return *to ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *of)
{
    free(of);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind,
                            cudaStream_t stream)
{
    emulated_enqueue(stream, [=] { memcpy(to, from, bytes); });
    return cudaSuccess;
}

/* --- products: theirs has columns where oneDNN's has rows */

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = new struct emulated_blas();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t)
{
    return "the emulation refused its arguments";
}

/* x[columns, rows], with so many bits less. */
static std::vector<float> less_exact(const float *x, int rows, int columns, int stride, int bits)
{
    std::vector<float> y((size_t)columns * rows);
    for (size_t i = 0; i < y.size(); i++) {
        uint32_t word;
        memcpy(&word, &x[i / rows * stride + i % rows], sizeof word);
        word = (word + (1u << bits >> 1)) >> bits << bits;
        memcpy(&y[i], &word, sizeof word);
    }
    return y;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                            int m, int n, int k, const void *alpha, const void *a, cudaDataType,
                            int lda, const void *b, cudaDataType, int ldb, const void *beta,
                            void *c, cudaDataType, int ldc, cublasComputeType_t compute,
                            cublasGemmAlgo_t)
{
    if (lda < (op_a == CUBLAS_OP_N ? m : k) || ldb < (op_b == CUBLAS_OP_N ? k : n) || ldc < m)
        return CUBLAS_STATUS_INVALID_VALUE;
    float by = *(const float *)alpha, keep = *(const float *)beta;
    bool turn_a = op_a == CUBLAS_OP_T, turn_b = op_b == CUBLAS_OP_T;
    int bits = compute == CUBLAS_COMPUTE_32F             ? 0
               : compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? 13
                                                         : 16;
    emulated_enqueue(handle->stream, [=] {
        int a_rows = turn_a ? k : m, b_rows = turn_b ? n : k;
        std::vector<float> left = less_exact((const float *)a, a_rows, turn_a ? m : k, lda, bits),
                           right = less_exact((const float *)b, b_rows, turn_b ? k : n, ldb, bits);
        dnnl_sgemm(turn_b ? 'T' : 'N', turn_a ? 'T' : 'N', n, m, k, by, right.data(), b_rows,
                   left.data(), a_rows, keep, (float *)c, ldc);
    });
    return CUBLAS_STATUS_SUCCESS;
}
