/* Tensors that PyTorch has computed, and what a tape makes of the same. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "common/formats/safetensors.h"
#include "common/nn/ops/ops.h"
#include "tests/unit/devices.h"

struct golden {
    struct tape tape;
    const struct safetensors *file;
    double tolerance; /* of a tensor's largest number */
};

static inline const struct safetensor *golden_tensor(const struct golden *g, const char *name)
{
    const struct safetensor *t = safetensors_find(g->file, name);
    if (!t)
        fail_msg("%s has no '%s'", g->file->path, name);
    return t;
}

/* A variable with the numbers of that name, by which a gradient is wanted. */
static inline struct var *golden_input(struct golden *g, const char *name)
{
    const struct safetensor *t = golden_tensor(g, name);
    struct tensor host = tensor_of(name, F4, t->data, t->rank, t->shape);
    return tape_input(&g->tape, &host, true);
}

/* A parameter with them: kernels add to its gradient, which begins as 0. */
static inline struct var *golden_parameter(struct golden *g, const char *name)
{
    struct var *v = golden_input(g, name);
    v->grad = tape_zeros(&g->tape, v->rank, v->shape)->data;
    return v;
}

static inline double golden_largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

/* Fails the test unless what is on the device is what PyTorch has under that name. */
static inline void golden_compare(struct golden *g, const char *name, const float *got)
{
    const struct safetensor *t = golden_tensor(g, name);
    const float *want = t->data;
    double allowed = g->tolerance * golden_largest(want, t->count);
    float *is = malloc(t->count * sizeof *is);
    assert_non_null(got);
    device_copy_out(g->tape.m, g->tape.device, is, got, t->count * sizeof *is);
    for (size_t i = 0; i < t->count; i++)
        if (!(fabs((double)is[i] - (double)want[i]) <= allowed))
            fail_msg("%s, %s[%zu]: %.9g but expected %.9g", g->tape.device->name, name, i,
                     (double)is[i], (double)want[i]);
    free(is);
}

#endif
