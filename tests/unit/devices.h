/* For tests: runs a body with a device, or with each that this machine has without a GPU. */
#ifndef TESTS_DEVICES_H
#define TESTS_DEVICES_H

#include "common/nn/device.h"
#include "kernels/level.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

struct use {
    const char *name;
    long threads;
    void (*body)(struct device *d);
};

static inline void use_device(struct msa *m)
{
    struct use *use = m->settings;
    struct device *d = device_open(m, use->name, use->threads);
    if (use->body)
        use->body(d);
}

/* Runs body with a device of that name, which must be there. */
static inline void with_device(const char *name, void (*body)(struct device *d))
{
    struct use use = {name, 2, body};
    struct msa m = {.program = "devices", .settings = &use};
    if (msa_run(&m, use_device) != MSA_OK)
        fail_msg("device '%s': %s", name, m.error);
}

static const char *const names[] = {"cpu:base", "cpu:v3", "cpu:v4", "test", "emulated"};

/* … and with each that this machine has. */
static inline void with_devices(void (*body)(struct device *d))
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(names[i], "cpu:", 4) != 0 || level_runs(names[i] + 4))
            with_device(names[i], body);
}

/* x[n] on the device and back; release with the device's. */
static inline float *place(struct device *d, const float *x, size_t n)
{
    float *to = d->allocate(d, n * sizeof *to);
    assert_non_null(to);
    d->copy_in(d, to, x, n * sizeof *to);
    return to;
}

static inline void fetch(struct device *d, float *to, float *x, size_t n)
{
    d->copy_out(d, to, x, n * sizeof *to);
    d->release(d, x);
}

#endif
