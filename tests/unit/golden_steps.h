/* Trajectories of optimizers in a golden file: rows of its tensors [STEPS,N], and parameters beside
 * them. */
#ifndef MSA_GOLDEN_STEPS_H
#define MSA_GOLDEN_STEPS_H

#include "common/nn/params.h"
#include "tests/unit/devices.h"
#include <math.h>

enum { STEPS = 20, N = 9 };

/* A tensor's numbers, in a file that has floats where floats may be. */
static inline const float *floats_in(const struct safetensors *file, const char *name, size_t count)
{
    const struct safetensor *t = safetensors_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->count, count);
    assert_null(t->dtype);
    return t->data;
}

/* Row `step` of GROUP.NAME [STEPS,N]. */
static inline const float *row(const struct safetensors *golden, const char *group,
                               const char *name, int step)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", group, name);
    return floats_in(golden, full, (size_t)STEPS * N) + step * N;
}

/* All parameters, each [N], one after the other. */
static inline void values(struct params *p, float *to)
{
    for (int i = 0; i < p->count; i++)
        device_copy_out(p->m, p->device, to + (ptrdiff_t)i * N, p->list[i]->var.data,
                        N * sizeof *to);
}

/* Each parameter is the row GROUP.NAME, up to the rounding of a step. */
static inline void compare(struct params *p, const struct safetensors *golden, const char *group,
                           int step)
{
    float *got = msa_calloc(p->m, (size_t)p->count * N, sizeof *got);
    values(p, got);
    for (int i = 0; i < p->count * N; i++) {
        const char *name = p->list[i / N]->name;
        double want = (double)row(golden, group, name, step)[i % N], is = (double)got[i];
        if (!(fabs(is - want) <= 1e-6 * fmax(fabs(want), .1)))
            fail_msg("%s, step %d, %s[%d]: %.9g but expected %.9g", group, step, name, i % N, is,
                     want);
    }
    msa_free(p->m, got);
}

#endif
