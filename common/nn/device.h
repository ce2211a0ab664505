/* Which device computes: opens the shared object with its kernels. */
#ifndef MSA_DEVICE_H
#define MSA_DEVICE_H

#include "common/run/run.h"
#include "kernels/kernels.h"

/* The device of that name, one that --device takes (common/run/option_value.c has the list): "cpu"
 * (the kernels of the machine's best level; "cpu:LEVEL" for those of another one that it runs, see
 * kernels/level.h), "cuda" or "cuda:N", "auto" (the first GPU, else the CPU), or else what the
 * object msa-NAME.so has: "test" (kernels/test), "emulated" (the GPU's kernels without a GPU,
 * tests/emulation), "idle" (computes nothing, tests/bench). `threads` is 0 for as many as the
 * machine has. Says what it chose with -v; fails the run with MSA_DEVICE. The device belongs to the
 * run. To be called from one thread before others start: it sets OMP_WAIT_POLICY for the kernels'
 * threads unless the user has.
 *
 * Objects are looked for in lib and lib/msa beside the directory of the executable, and nowhere
 * else, so that programs which are moved together with these find them. */
struct device *device_open(struct msa *m, const char *name, long threads);
/* The one that the command line wants: --device, --threads, --precision; for `auto` the CPU, where
 * the program says so (struct program). */
struct device *device_of_run(struct msa *m);
/* Memory of the device, as its allocate gives it; fails the run with MSA_DEVICE when there is not
 * enough. */
void *device_allocate(struct msa *m, struct device *d, size_t bytes);
/* Waits until the device has done all that it was given, and copies are on the host; fails the run
 * with MSA_DEVICE where a kernel has failed since it was opened. So what a kernel left undone
 * reaches neither a stream nor a file. */
void device_wait(struct msa *m, struct device *d);
/* The device's copy_out, and waits for it. */
void device_copy_out(struct msa *m, struct device *d, void *to_host, const void *from,
                     size_t bytes);

#endif
