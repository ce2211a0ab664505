/* An optimizer's step on all parameters in one kernel. */
#ifndef MSA_CUDA_UPDATES_H
#define MSA_CUDA_UPDATES_H

#include "kernels/cuda/cuda.h"

enum { PART = 16 * THREADS }; /* elements of a parameter that a block takes at a time */

/* The parts of all parameters are counted through; a block takes every gridDim-th. */
template <class One>
static __global__ void update_all(const struct update *all, size_t count, One one)
{
    size_t u = 0, before = 0; /* parts of the parameters before u */
    for (size_t part = blockIdx.x;; part += gridDim.x) {
        for (; u < count && part - before >= pieces(all[u].n, PART); u++)
            before += pieces(all[u].n, PART);
        if (u == count)
            return;
        const struct update own = all[u];
        size_t first = (part - before) * PART;
        for (size_t i = first + threadIdx.x; i < own.n && i < first + PART; i += THREADS)
            one(own, i);
    }
}

/* one(u, i) on the device for each element i of each parameter u of all[count], the host's */
template <class One>
static void each_update(struct device *d, const struct update *all, size_t count, One one)
{
    size_t parts = 0, bytes = count * sizeof *all;
    for (size_t i = 0; i < count; i++)
        parts += pieces(all[i].n, PART);
    void *there = cuda_scratch(d, bytes);
    if (!there)
        return;
    cuda_copy_in(d, there, all, bytes);
    launch(d, update_all<One>, cuda_blocks(d, parts, 1), THREADS,
           static_cast<const struct update *>(there), count, one);
}

#endif
