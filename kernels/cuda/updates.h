/* An optimizer's step on all parameters in one kernel. */
#ifndef MSA_CUDA_UPDATES_H
#define MSA_CUDA_UPDATES_H

#include "kernels/cuda/cuda.h"

/* Block b takes a share of each of the parameters b / shares, and every so many further on. */
template <class One>
static __global__ void update_all(const struct update *all, size_t count, unsigned shares, One one)
{
    for (size_t at = blockIdx.x / shares; at < count; at += gridDim.x / shares) {
        const struct update u = all[at];
        for (size_t i = blockIdx.x % shares * THREADS + threadIdx.x; i < u.n; i += shares * THREADS)
            one(u, i);
    }
}

/* one(u, i) on the device for each element i of each parameter u of all[count], the host's */
template <class One>
static void each_update(struct device *d, const struct update *all, size_t count, One one)
{
    size_t most = 0, bytes = count * sizeof *all;
    for (size_t i = 0; i < count; i++)
        most = all[i].n > most ? all[i].n : most;
    void *there = cuda_scratch(d, bytes);
    if (!there)
        return;
    cuda_copy_in(d, there, all, bytes);
    size_t shares = cuda_blocks(d, most, 4 * THREADS), parameters = count < 4096 ? count : 4096;
    launch(d, update_all<One>, shares * parameters, THREADS,
           static_cast<const struct update *>(there), count, (unsigned)shares, one);
}

#endif
