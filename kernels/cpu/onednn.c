#include "kernels/cpu/onednn.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

static const char *const names[] = {
#define FUNCTION(name) "dnnl_" #name,
    ONEDNN_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

bool cpu_onednn_did(const struct device *d, dnnl_status_t status, const char *what)
{
    struct cpu *cpu = d->state;
    if (status == dnnl_success)
        return true;
    if (status == dnnl_out_of_memory) {
        cpu_fail(d, cpu_no_memory);
        return false;
    }
    const char *why = status == dnnl_unimplemented
                          ? "is not there on this processor, or as ONEDNN_MAX_CPU_ISA limits it"
                          : "has failed";
    /* the same by all threads */
    snprintf(cpu->failure, sizeof cpu->failure, "oneDNN: %s %s", what, why);
    cpu_fail(d, cpu->failure);
    return false;
}

/* All functions, which come first and one behind the other; false with the reason in dlerror(). */
static bool find_functions(struct onednn *dnnl)
{
    void *library = dlopen("libdnnl.so." TEXT(DNNL_VERSION_MAJOR), RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof names / sizeof *names; i++) {
        void *found = dlsym(library, names[i]);
        if (!found)
            return false;
        memcpy((char *)dnnl + i * sizeof found, &found, sizeof found);
    }
    return library;
}

static struct onednn *open_onednn(struct cpu *cpu)
{
    const struct device *d = &cpu->device;
    struct onednn *dnnl = calloc(1, sizeof *dnnl);
    if (!dnnl)
        cpu_fail(d, cpu_no_memory);
    else if (!find_functions(dnnl)) {
        snprintf(cpu->failure, sizeof cpu->failure, "oneDNN cannot be opened: %s", dlerror());
        cpu_fail(d, cpu->failure);
    } else if (cpu_onednn_did(d, dnnl->engine_create(&dnnl->engine, dnnl_cpu, 0),
                              "engine_create") &&
               cpu_onednn_did(
                   d, dnnl->stream_create(&dnnl->stream, dnnl->engine, dnnl_stream_default_flags),
                   "stream_create"))
        return dnnl;
    cpu_onednn_close(dnnl);
    return NULL;
}

const struct onednn *cpu_onednn(const struct device *d)
{
    struct cpu *cpu = d->state;
    struct onednn *found = __atomic_load_n(&cpu->onednn, __ATOMIC_ACQUIRE);
    if (!found) {
#pragma omp critical(onednn)
        if (!cpu->onednn && !__atomic_load_n(&cpu->device.failed, __ATOMIC_RELAXED))
            __atomic_store_n(&cpu->onednn, open_onednn(cpu), __ATOMIC_RELEASE);
        found = cpu->onednn;
    }
    return found;
}

void cpu_onednn_close(struct onednn *dnnl)
{
    if (dnnl && dnnl->stream)
        dnnl->stream_destroy(dnnl->stream);
    if (dnnl && dnnl->engine)
        dnnl->engine_destroy(dnnl->engine);
    free(dnnl);
}
