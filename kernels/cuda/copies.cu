/* Copies between the host and the GPU, through pinned memory, so that the host need not wait for
 * what it gives: a copy is in the stream of lane 0 like any kernel. */
#include "kernels/cuda/state.h"
#include <string.h>

bool cuda_open_stages(struct device *d)
{
    for (struct stage &s : cuda_of(d)->stages) {
        void *memory = NULL;
        if (!cuda_worked(d, cudaMallocHost(&memory, STAGE), "memory for copies"))
            return false;
        s.memory = static_cast<char *>(memory);
        if (!cuda_open_event(d, &s.done))
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

/* Numbers that the stream has brought go on to the host. */
void cuda_wait(struct device *d)
{
    struct cuda *cuda = cuda_of(d);
    bool arrived = !d->failed && cuda_wait_for_lanes(d);
    for (size_t i = 0; arrived && i < cuda->arrival_count; i++)
        memcpy(cuda->arrivals[i].to_host, cuda->arrivals[i].from, cuda->arrivals[i].bytes);
    for (struct stage &s : cuda->stages)
        s.waited_for = false;
    cuda->arrival_count = 0;
}

/* Goes on to the next stage, when all that is in it is done with. */
static void next_stage(struct device *d)
{
    struct cuda *cuda = cuda_of(d);
    cuda_worked(d, cudaEventRecord(cuda->stages[cuda->stage].done, cuda_stream(d)), "an event");
    cuda->stage = (cuda->stage + 1) % STAGES;
    cuda->used = 0;
    if (cuda->stages[cuda->stage].waited_for)
        cuda_wait(d);
    else
        cuda_worked(d, cudaEventSynchronize(cuda->stages[cuda->stage].done), "waiting for a copy");
}

/* Room for n <= STAGE bytes, that the stream has done with; NULL: the device has failed. */
static char *take(struct device *d, size_t n)
{
    struct cuda *cuda = cuda_of(d);
    if (cuda->lane)
        cuda_fail(d, "a copy in lane %u", cuda->lane);
    if (d->failed)
        return NULL;
    if (STAGE - cuda->used < n)
        next_stage(d);
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

/* Until cuda_wait the numbers are in the staging memory. */
void cuda_copy_out(struct device *d, void *to_host, const void *from, size_t bytes)
{
    struct cuda *cuda = cuda_of(d);
    for (size_t at = 0; at < bytes; at += STAGE) {
        size_t n = piece(bytes, at);
        if (cuda->arrival_count == ARRIVALS)
            cuda_wait(d);
        char *room = take(d, n);
        if (!room)
            return;
        cuda_worked(d,
                    cudaMemcpyAsync(room, static_cast<const char *>(from) + at, n,
                                    cudaMemcpyDeviceToHost, cuda_stream(d)),
                    "copy from the GPU");
        cuda->stages[cuda->stage].waited_for = true;
        cuda->arrivals[cuda->arrival_count++] = {static_cast<char *>(to_host) + at, room, n};
    }
}
