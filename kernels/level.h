/* The levels of the processor that the CPU's kernels are built for, one shared object
 * msa-cpu-LEVEL.so each. */
#ifndef MSA_LEVEL_H
#define MSA_LEVEL_H

#include <stdbool.h>
#include <string.h>

/* Does this machine run the kernels of that level? False for a level there is not. */
static inline bool level_runs(const char *level)
{
#ifdef __x86_64__
    if (strcmp(level, "v4") == 0)
        return __builtin_cpu_supports("x86-64-v4");
    if (strcmp(level, "v3") == 0)
        return __builtin_cpu_supports("x86-64-v3");
#endif
    return strcmp(level, "base") == 0;
}

/* The best one that it runs. */
static inline const char *level_best(void)
{
    return level_runs("v4") ? "v4" : level_runs("v3") ? "v3" : "base";
}

#endif
