/* The memory of one step: taken piece by piece, given back all at once and kept for the next
 * step, until the run ends. */
#ifndef MSA_ARENA_H
#define MSA_ARENA_H

#include "common/run/run.h"
#include "kernels/kernels.h"

struct arena_chunk;

struct arena {
    struct msa *m;
    struct device *device; /* NULL: host memory */
    struct arena_chunk *first, *current;
    size_t used; /* bytes of current */
};

struct arena arena_new(struct msa *m, struct device *device);
/* 64-byte aligned, undefined contents; fails the run with MSA_DEVICE when the device
 * has no more. */
void *arena_take(struct arena *a, size_t bytes);
/* Everything taken is given back; the memory itself stays. */
void arena_reset(struct arena *a);

#endif
