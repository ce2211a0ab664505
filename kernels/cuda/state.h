/* What a GPU's device keeps on the host (device.cu, lanes.cu, copies.cu, product.cu). */
#ifndef MSA_CUDA_STATE_H
#define MSA_CUDA_STATE_H

#include "kernels/cuda/cuda.h"

/* A part of the staging memory: filled from its beginning; once full it is not used again before
 * lane 0 has passed `done`. */
struct stage {
    char *memory; /* pinned */
    cudaEvent_t done;
    bool waited_for; /* it has numbers that are to go on to the host */
};

/* What lane 0 brings into the staging memory, and the host wants. */
struct arrival {
    void *to_host;
    const char *from;
    size_t bytes;
};

enum { STAGES = 4, STAGE = 2 << 20, ARRIVALS = 32 };

/* A stream, and what its kernels work with. */
struct lane {
    cudaStream_t stream;
    cudaEvent_t reached; /* by the stream, when others were told to wait for it */
    bool begun;          /* lane 0 has not waited for it */
    void *scratch, *workspace;
    size_t scratch_size;
};

struct products; /* cuBLAS (product.cu) */

struct cuda {
    struct device device;
    char name[32], failure[256];
    int index;
    enum precision precision;
    size_t most_blocks; /* that keep it busy */
    struct lane lanes[LANES];
    unsigned lane; /* where work goes */
    struct stage stages[STAGES];
    size_t stage, used; /* the one being filled, and its bytes */
    struct arrival arrivals[ARRIVALS];
    size_t arrival_count;
    struct products *products;
};

static inline struct cuda *cuda_of(const struct device *d)
{
    return static_cast<struct cuda *>(d->state);
}

static inline struct lane *lane_of(const struct device *d)
{
    return &cuda_of(d)->lanes[cuda_of(d)->lane];
}

bool cuda_open_event(struct device *d, cudaEvent_t *event);
bool cuda_open_lanes(struct device *d);
void cuda_close_lanes(struct device *d);
void cuda_lane(struct device *d, unsigned number);
/* False: the device has failed. */
bool cuda_wait_for_lanes(struct device *d);
bool cuda_open_stages(struct device *d);
void cuda_close_stages(struct device *d);
void cuda_copy_out(struct device *d, void *to_host, const void *from, size_t bytes);
void cuda_wait(struct device *d);
bool cuda_open_products(struct device *d);
void cuda_close_products(struct device *d);

#endif
