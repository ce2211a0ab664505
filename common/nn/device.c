/* Devices: finds and opens the shared objects with kernels. */
#include "common/nn/device.h"
#include "common/run/option.h"
#include "kernels/level.h"
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Path of the kernels' object "msa-KIND.so" where it exists; NULL where it does not. Belongs to the
 * run. */
static char *find_object(struct msa *m, const char *kind)
{
    char exe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[length > 0 ? length : 0] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
    }
    static const char *const places[] = {"lib", "lib/msa"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = msa_format(m, "%s/%s/msa-%s.so", exe, places[i], kind);
        if (access(path, R_OK) == 0)
            return path;
        msa_free(m, path);
    }
    return NULL;
}

static void device_close(void *owner)
{
    struct device *d = *(struct device **)owner;
    if (d)
        d->close(d);
}

/* For libgomp, which reads them when it is loaded. The stack of a thread is for the kernels to say:
 * with another size it might not begin, or not be enough. */
static void set_variables(void)
{
    setenv("OMP_WAIT_POLICY", "passive", 0);
    unsetenv("OMP_STACKSIZE");
    unsetenv("GOMP_STACKSIZE");
}

/* A device of an object, which stays open until the process ends: its threads may wait in it. NULL,
 * with a line in `error`, when it cannot be used. */
static struct device *open_object(struct msa *m, const char *path, int index, long threads,
                                  char *error, size_t size)
{
    set_variables();
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    msa_device_open_fn *open =
        object ? (msa_device_open_fn *)dlsym(object, "msa_device_open") : NULL;
    if (!open) {
        snprintf(error, size, "%s", dlerror());
        return NULL;
    }
    struct device **owner = msa_alloc(m, sizeof(struct device *));
    struct device *d = *owner = open(index, (int)threads, error, size);
    msa_at_free(owner, device_close);
    if (d)
        msa_say(m, "device %s (%s), %d threads", d->name, path, d->threads);
    return d;
}

/* Opens a device of the objects "msa-KIND.so"; fails the run, unless `optional`. */
static struct device *open_kind(struct msa *m, const char *kind, int index, long threads,
                                bool optional)
{
    char error[512];
    char *path = find_object(m, kind);
    if (!path)
        snprintf(error, sizeof error, "there is no msa-%s.so beside this program", kind);
    struct device *d = path ? open_object(m, path, index, threads, error, sizeof error) : NULL;
    msa_free(m, path);
    if (!d && !optional)
        msa_fail(m, MSA_DEVICE, "device '%s' cannot be used: %s", kind, error);
    if (!d)
        msa_say(m, "no device '%s': %s", kind, error);
    return d;
}

static struct device *open_cpu(struct msa *m, const char *level, long threads)
{
    if (!level_runs(level))
        msa_fail(m, MSA_DEVICE, "this machine does not run kernels of level '%s'", level);
    char *kind = msa_format(m, "cpu-%s", level);
    struct device *d = open_kind(m, kind, 0, threads, false);
    msa_free(m, kind);
    return d;
}

struct device *device_open(struct msa *m, const char *name, long threads)
{
    if (threads < 0 || threads > 4096)
        msa_fail(m, MSA_DEVICE, "%ld threads, but expected 0 to 4096", threads);
    if (strcmp(name, "auto") == 0) {
        struct device *d = open_kind(m, "cuda", 0, threads, true);
        return d ? d : open_cpu(m, level_best(), threads);
    }
    if (strcmp(name, "cpu") == 0)
        return open_cpu(m, level_best(), threads);
    if (strncmp(name, "cpu:", strlen("cpu:")) == 0)
        return open_cpu(m, name + strlen("cpu:"), threads);
    if (strncmp(name, "cuda:", strlen("cuda:")) == 0)
        return open_kind(m, "cuda", atoi(name + strlen("cuda:")), threads, false);
    return open_kind(m, name, 0, threads, false);
}

/* A program that stays on the CPU has no products, so --precision makes no difference to it. */
struct device *device_of_run(struct msa *m)
{
    bool on_cpu = m->of && m->of->on_cpu && strcmp(m->common.device, "auto") == 0;
    if (on_cpu)
        msa_say(m, "auto: the CPU, as a GPU is no faster at what this stage computes");
    struct device *d = device_open(m, on_cpu ? "cpu" : m->common.device, m->common.threads);
    enum precision precision = (enum precision)m->common.precision;
    if (on_cpu || (precision == PRECISION_F32 && !d->set_precision))
        return d;
    const char *why = d->set_precision ? d->set_precision(d, precision) : "--precision can be f32";
    if (why)
        msa_fail(m, MSA_DEVICE, "device %s: %s", d->name, why);
    return d;
}

void *device_allocate(struct msa *m, struct device *d, size_t bytes)
{
    void *memory = d->allocate(d, bytes);
    if (!memory && d->left)
        msa_fail(m, MSA_DEVICE, "device %s: no memory for %zu bytes, %zu are free", d->name, bytes,
                 d->left(d));
    if (!memory)
        msa_fail(m, MSA_DEVICE, "device %s: no memory for %zu bytes", d->name, bytes);
    return memory;
}

void device_wait(struct msa *m, struct device *d)
{
    d->wait(d);
    if (d->failed)
        msa_fail(m, MSA_DEVICE, "device %s: %s", d->name, d->failed);
}

void device_copy_out(struct msa *m, struct device *d, void *to_host, const void *from, size_t bytes)
{
    d->copy_out(d, to_host, from, bytes);
    device_wait(m, d);
}
