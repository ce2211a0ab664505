/* Lanes: streams that the GPU may work on side by side. Each has working memory of its own, and
 * lane 0, from which the others begin, waits for all of them when it goes on. */
#include "kernels/cuda/state.h"

bool cuda_open_event(struct device *d, cudaEvent_t *event)
{
    return cuda_worked(d, cudaEventCreateWithFlags(event, cudaEventDisableTiming), "an event");
}

bool cuda_open_lanes(struct device *d)
{
    for (struct lane &lane : cuda_of(d)->lanes)
        if (!cuda_worked(d, cudaStreamCreateWithFlags(&lane.stream, cudaStreamNonBlocking),
                         "a stream") ||
            !cuda_open_event(d, &lane.reached))
            return false;
    return true;
}

void cuda_close_lanes(struct device *d)
{
    for (struct lane &lane : cuda_of(d)->lanes) {
        if (lane.stream)
            cudaStreamDestroy(lane.stream);
        if (lane.reached)
            cudaEventDestroy(lane.reached);
        cudaFree(lane.scratch);
        cudaFree(lane.workspace);
    }
}

bool cuda_wait_for_lanes(struct device *d)
{
    for (const struct lane &lane : cuda_of(d)->lanes)
        if (lane.stream &&
            !cuda_worked(d, cudaStreamSynchronize(lane.stream), "a kernel, or a copy from the GPU"))
            return false;
    return true;
}

/* What `later` is given from now on waits for what `sooner` has been given. */
static void follow(struct device *d, struct lane *later, struct lane *sooner)
{
    if (cuda_worked(d, cudaEventRecord(sooner->reached, sooner->stream), "an event"))
        cuda_worked(d, cudaStreamWaitEvent(later->stream, sooner->reached, 0), "a stream");
}

static void end_lanes(struct device *d)
{
    struct lane *lanes = cuda_of(d)->lanes;
    for (unsigned i = 1; i < LANES; i++) {
        if (lanes[i].begun)
            follow(d, &lanes[0], &lanes[i]);
        lanes[i].begun = false;
    }
}

void cuda_lane(struct device *d, unsigned number)
{
    struct cuda *cuda = cuda_of(d);
    if (d->failed || number == cuda->lane)
        return;
    if (number) {
        follow(d, &cuda->lanes[number], &cuda->lanes[0]);
        cuda->lanes[number].begun = true;
    } else {
        end_lanes(d);
    }
    cuda->lane = number;
}
