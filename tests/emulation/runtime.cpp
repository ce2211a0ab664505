/* CUDA's memory, streams and products on the host (see emulation.cpp). */
#include <algorithm>
#include <cublasLt.h>
#include <deque>
#include <dnnl.h>
#include <map>
#include <stdlib.h>
#include <vector>

static const size_t memory_in_all = (size_t)4 << 30;

struct emulated_event {
    struct emulated_stream *stream; /* NULL: not recorded yet */
    size_t at;                      /* of the stream's work when it was */
};

struct emulated_piece {
    std::function<void()> work;
    struct emulated_event after; /* the piece waits for it, and does nothing else; NULL: no event */
};

struct emulated_stream {
    std::deque<struct emulated_piece> work;
    size_t begun, ended, enqueued; /* pieces of work so far */
    bool eager; /* does its work at once, which is as allowed as putting it off */
    struct emulated_stream *beside; /* for each piece of the one a piece of the other is done */
};

struct emulated_blas {
};

struct emulated_product {
    cublasComputeType_t compute;
    int32_t turn_a, turn_b;
    uint32_t after;
    const float *bias;
};

struct emulated_layout {
    uint64_t rows, columns;
    int64_t stride;
    int32_t batch;
    int64_t apart; /* floats from one matrix of the batch to the next */
};

struct emulated_limits {
    uint32_t aligned;
};

static std::vector<cudaStream_t> streams;
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

static void run_one(cudaStream_t stream)
{
    std::function<void()> work = std::move(stream->work.front().work);
    stream->work.pop_front();
    stream->begun++;
    work();
    stream->ended++;
}

/* May its next piece be done now? Not in the middle of another, which may be a wait, nor before the
 * event that it waits for. */
static bool is_ready(cudaStream_t stream)
{
    if (!stream || stream->work.empty() || stream->begun > stream->ended)
        return false;
    const struct emulated_event *after = &stream->work.front().after;
    return !after->stream || after->stream->ended >= after->at;
}

static void run_until(cudaStream_t stream, size_t end)
{
    while (stream->begun < end) {
        run_one(stream);
        if (is_ready(stream->beside))
            run_one(stream->beside);
    }
}

static void enqueue(cudaStream_t stream, struct emulated_piece piece)
{
    stream->work.push_back(std::move(piece));
    stream->enqueued++;
    if (stream->eager)
        run_until(stream, stream->enqueued);
}

void emulated_enqueue(cudaStream_t stream, std::function<void()> work)
{
    enqueue(stream, {std::move(work), {}});
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    cudaStream_t s = *stream = new struct emulated_stream();
    size_t number = streams.size() % 4;
    s->eager = number == 1;
    if (number == 3) {
        s->beside = streams.back();
        s->beside->beside = s;
    }
    streams.push_back(s);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    enqueue(stream, {[e = *event] { run_until(e.stream, e.at); }, *event});
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
    if (stream->beside)
        stream->beside->beside = NULL;
    streams.erase(std::find(streams.begin(), streams.end(), stream));
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

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    *handle = new struct emulated_blas();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasLtGetStatusString(cublasStatus_t)
{
    return "the emulation refused its arguments";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *product, cublasComputeType_t compute,
                                        cudaDataType)
{
    *product = new emulated_product{compute, CUBLAS_OP_N, CUBLAS_OP_N, 0, NULL};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product)
{
    delete product;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t what,
                                              const void *value, size_t bytes)
{
    struct {
        void *to;
        size_t bytes;
    } const members[] = {{&product->turn_a, sizeof product->turn_a},
                         {&product->turn_b, sizeof product->turn_b},
                         {&product->after, sizeof product->after},
                         {&product->bias, sizeof product->bias}};
    if (bytes != members[what].bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(members[what].to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType,
                                          uint64_t rows, uint64_t columns, int64_t stride)
{
    if (stride < (int64_t)rows)
        return CUBLAS_STATUS_INVALID_VALUE;
    *layout = new emulated_layout{rows, columns, stride, 1, 0};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t what,
                                                const void *value, size_t bytes)
{
    bool count = what == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
    if (bytes != (count ? sizeof layout->batch : sizeof layout->apart))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(count ? (void *)&layout->batch : &layout->apart, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *limits)
{
    *limits = new emulated_limits{256};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t limits)
{
    delete limits;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t limits,
                                                    cublasLtMatmulPreferenceAttributes_t what,
                                                    const void *value, size_t bytes)
{
    if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return bytes == sizeof(uint64_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
    uint32_t aligned = *(const uint32_t *)value;
    if (bytes != sizeof aligned || aligned < sizeof(float))
        return CUBLAS_STATUS_INVALID_VALUE;
    limits->aligned = aligned < limits->aligned ? aligned : limits->aligned;
    return CUBLAS_STATUS_SUCCESS;
}

/* What a product of these is good for; false where they do not fit. */
static bool fit(const emulated_product *p, const emulated_layout *a, const emulated_layout *b,
                const emulated_layout *c, cublasLtMatmulAlgo_t *of)
{
    uint64_t a_columns = p->turn_a ? a->rows : a->columns,
             b_rows = p->turn_b ? b->columns : b->rows;
    *of = {c->rows, c->columns, a_columns, c->batch, 0};
    return a->batch == c->batch && b->batch == c->batch &&
           (p->turn_a ? a->columns : a->rows) == c->rows && a_columns == b_rows &&
           (p->turn_b ? b->rows : b->columns) == c->columns;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t limits, int wanted,
                                              cublasLtMatmulHeuristicResult_t *results, int *found)
{
    *found = 0;
    if (c != d || wanted < 1 || !fit(product, a, b, c, &results->algo))
        return CUBLAS_STATUS_INVALID_VALUE;
    results->algo.aligned = limits->aligned;
    *found = c->rows <= INT32_MAX && c->columns <= INT32_MAX;
    return CUBLAS_STATUS_SUCCESS;
}

/* x[columns, rows], with so many bits less. */
static std::vector<float> less_exact(const float *x, const emulated_layout &of, int bits)
{
    std::vector<float> y(of.columns * of.rows);
    for (size_t i = 0; i < y.size(); i++) {
        uint32_t word;
        memcpy(&word, &x[i / of.rows * (size_t)of.stride + i % of.rows], sizeof word);
        word = (word + (1u << bits >> 1)) >> bits << bits;
        memcpy(&y[i], &word, sizeof word);
    }
    return y;
}

static void multiply(const emulated_product &p, float by, const float *a,
                     const emulated_layout &a_layout, const float *b,
                     const emulated_layout &b_layout, float keep, float *c,
                     const emulated_layout &c_layout)
{
    int bits = p.compute == CUBLAS_COMPUTE_32F             ? 0
               : p.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? 13
                                                           : 16;
    std::vector<float> left = less_exact(a, a_layout, bits), right = less_exact(b, b_layout, bits);
    dnnl_sgemm(p.turn_b ? 'T' : 'N', p.turn_a ? 'T' : 'N', (dnnl_dim_t)c_layout.columns,
               (dnnl_dim_t)c_layout.rows, (dnnl_dim_t)(p.turn_a ? a_layout.rows : a_layout.columns),
               by, right.data(), (dnnl_dim_t)b_layout.rows, left.data(), (dnnl_dim_t)a_layout.rows,
               keep, c, (dnnl_dim_t)c_layout.stride);
    for (uint64_t i = 0; p.after == CUBLASLT_EPILOGUE_BIAS && i < c_layout.columns; i++)
        for (uint64_t j = 0; j < c_layout.rows; j++)
            c[i * (uint64_t)c_layout.stride + j] += p.bias[j];
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t,
                              const cublasLtMatmulAlgo_t *algorithm, void *, size_t,
                              cudaStream_t stream)
{
    cublasLtMatmulAlgo_t fitting;
    uintptr_t all =
        (uintptr_t)a | (uintptr_t)b | (uintptr_t)c |
        (uintptr_t)(a_layout->apart | b_layout->apart | c_layout->apart) * sizeof(float);
    if (c != d || !fit(product, a_layout, b_layout, c_layout, &fitting) ||
        fitting.m != algorithm->m || fitting.n != algorithm->n || fitting.k != algorithm->k ||
        fitting.batch != algorithm->batch || all % algorithm->aligned)
        return CUBLAS_STATUS_INVALID_VALUE;
    float by = *(const float *)alpha, keep = *(const float *)beta;
    emulated_enqueue(stream, [=, p = *product, al = *a_layout, bl = *b_layout, cl = *c_layout] {
        for (int32_t i = 0; i < cl.batch; i++)
            multiply(p, by, (const float *)a + i * al.apart, al, (const float *)b + i * bl.apart,
                     bl, keep, (float *)d + i * cl.apart, cl);
    });
    return CUBLAS_STATUS_SUCCESS;
}
