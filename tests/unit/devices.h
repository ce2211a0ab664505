/* For tests: runs a body with a device, or with each that this machine has. */
#ifndef TESTS_DEVICES_H
#define TESTS_DEVICES_H

#include "common/nn/device.h"
#include "kernels/level.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Is a device of that name to be tested? TEST_DEVICES, names with spaces in between, chooses. */
static inline bool device_wanted(const char *name)
{
    const char *list = getenv("TEST_DEVICES"), *at = list ? list : name;
    size_t length = strlen(name);
    for (; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strncmp(at, name, length) == 0 && (!at[length] || at[length] == ' '))
            return true;
    return false;
}

/* … and is it there? A GPU that is not is skipped, and that is said. */
static inline bool device_tested(const char *name)
{
    struct use use = {name, 0, NULL};
    struct msa m = {.program = "devices", .settings = &use};
    if (!device_wanted(name))
        return false;
    if (strncmp(name, "cpu:", 4) == 0)
        return level_runs(name + 4);
    if (strncmp(name, "cuda", 4) != 0 || msa_run(&m, use_device) == MSA_OK)
        return true;
    printf("# skipped on %s: %s\n", name, m.error);
    return false;
}

enum { DEVICES = 6 };
static const char *const device_names[DEVICES] = {"cpu:base", "cpu:v3",   "cpu:v4",
                                                  "test",     "emulated", "cuda"};

/* … and with each that this machine has. */
static inline void with_devices(void (*body)(struct device *d))
{
    for (size_t i = 0; i < DEVICES; i++)
        if (device_tested(device_names[i]))
            with_device(device_names[i], body);
}

/* Runs body(m) with the name of each device that this machine has as its settings. */
static inline void run_on_devices(void (*body)(struct msa *m))
{
    for (size_t i = 0; i < DEVICES; i++) {
        struct msa m = {.program = "devices", .settings = (void *)device_names[i]};
        if (device_tested(device_names[i]) && msa_run(&m, body) != MSA_OK)
            fail_msg("device '%s': %s", device_names[i], m.error);
    }
}

/* x[n] on the device and back; release with the device's. */
static inline float *place(struct device *d, const float *x, size_t n)
{
    float *to = d->allocate(d, n * sizeof *to);
    assert_non_null(to);
    d->copy_in(d, to, x, n * sizeof *to);
    return to;
}

/* Bytes of the device's, which are on the host then. */
static inline void take(struct device *d, void *to, const void *x, size_t bytes)
{
    d->copy_out(d, to, x, bytes);
    d->wait(d);
}

static inline void fetch(struct device *d, float *to, float *x, size_t n)
{
    take(d, to, x, n * sizeof *to);
    d->release(d, x);
}

#endif
