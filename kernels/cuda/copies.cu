/* Copies between the host and the GPU, through pinned memory, so that the host need not wait for
 * what it gives: a copy is in the stream like any kernel. */
#include "kernels/cuda/state.h"
#include <string.h>

bool cuda_open_stages(struct device *d)
{
    for (struct stage &s : cuda_of(d)->stages) {
        void *memory = NULL;
        if (!cuda_worked(d, cudaMallocHost(&memory, STAGE), "memory for copies"))
            return false;
        s.memory = static_cast<char *>(memory);
        if (!cuda_worked(d, cudaEventCreateWithFlags(&s.done, cudaEventDisableTiming), "an event"))
            return false;
    }
    return true;
}

void cuda_close_stages(struct device *d)
{
    for (struct stage &s : cuda_of(d)->stages) {
        if (s.done)
            cudaEventDestroy(s.done);
        cudaFreeHost(s.memory);
    }
}

/* Room for n <= STAGE bytes, that the stream has done with; NULL: the device has failed. */
static char *take(struct device *d, size_t n)
{
    struct cuda *cuda = cuda_of(d);
    if (d->failed)
        return NULL;
    if (STAGE - cuda->used < n) {
        cuda_worked(d, cudaEventRecord(cuda->stages[cuda->stage].done, cuda->stream), "an event");
        cuda->stage = (cuda->stage + 1) % STAGES;
        cuda->used = 0;
        cuda_worked(d, cudaEventSynchronize(cuda->stages[cuda->stage].done), "waiting for a copy");
    }
    char *room = cuda->stages[cuda->stage].memory + cuda->used;
    cuda->used += n;
    return d->failed ? NULL : room;
}

static size_t piece(size_t bytes, size_t at)
{
    return bytes - at < STAGE ? bytes - at : (size_t)STAGE;
}

void cuda_copy_in(struct device *d, void *to, const void *from_host, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += STAGE) {
        size_t n = piece(bytes, at);
        char *room = take(d, n);
        if (!room)
            return;
        memcpy(room, static_cast<const char *>(from_host) + at, n);
        cuda_worked(d,
                    cudaMemcpyAsync(static_cast<char *>(to) + at, room, n, cudaMemcpyHostToDevice,
                                    cuda_stream(d)),
                    "copy to the GPU");
    }
}

/* Waits, even where there is nothing to copy: whoever asks wants to know of failures. */
void cuda_copy_out(struct device *d, void *to_host, const void *from, size_t bytes)
{
    cudaStream_t stream = cuda_stream(d);
    if (!bytes)
        cuda_worked(d, cudaStreamSynchronize(stream), "a kernel");
    for (size_t at = 0; at < bytes; at += STAGE) {
        size_t n = piece(bytes, at);
        char *room = take(d, n);
        if (!room)
            return;
        cuda_worked(d,
                    cudaMemcpyAsync(room, static_cast<const char *>(from) + at, n,
                                    cudaMemcpyDeviceToHost, stream),
                    "copy from the GPU");
        if (cuda_worked(d, cudaStreamSynchronize(stream), "a kernel, or a copy from the GPU"))
            memcpy(static_cast<char *>(to_host) + at, room, n);
    }
}
