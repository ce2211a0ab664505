/* The CPU as a device: plain memory, and the table of its kernels. LEVEL
 * is defined by kernels/rules.mk: the level of the processor that this is compiled for. */
#include "kernels/cpu/onednn.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

static void *cpu_allocate(struct device *d, size_t bytes)
{
    (void)d;
    size_t unit = bytes < 2 * HUGE_PAGE ? LINE : HUGE_PAGE;
    size_t size = bytes ? (bytes + unit - 1) / unit * unit : unit;
    void *memory = size < bytes ? NULL : aligned_alloc(unit, size);
    if (memory && unit == HUGE_PAGE)
        madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

static void cpu_release(struct device *d, void *memory)
{
    (void)d;
    free(memory);
}

static void cpu_copy(struct device *d, void *to, const void *from, size_t bytes)
{
    (void)d;
    if (bytes)
        memcpy(to, from, bytes);
}

static void cpu_wait(struct device *d)
{
    (void)d;
}

static void cpu_close(struct device *d)
{
    struct cpu *cpu = d->state;
    cpu_onednn_close(cpu->onednn);
    free(cpu->scratch);
    free(cpu);
}

const char cpu_no_memory[] = "not enough memory for a kernel";

/* Several threads may find this out at once. */
void cpu_fail(const struct device *d, const char *why)
{
    struct cpu *cpu = d->state;
    __atomic_store_n(&cpu->device.failed, why, __ATOMIC_RELAXED);
}

void *cpu_scratch(struct device *d, size_t bytes)
{
    struct cpu *cpu = d->state;
    if (bytes > cpu->scratch_size) {
        cpu_release(d, cpu->scratch);
        cpu->scratch = cpu_allocate(d, bytes);
        cpu->scratch_size = cpu->scratch ? bytes : 0;
        if (!cpu->scratch)
            cpu_fail(d, cpu_no_memory);
    }
    return cpu->scratch;
}

static bool multiplies_bf16(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

static const char *cpu_set_precision(struct device *d, enum precision precision)
{
    struct cpu *cpu = d->state;
    if (precision == PRECISION_TF32)
        return "--precision can be f32 or bf16";
    if (precision == PRECISION_BF16 && !multiplies_bf16())
        return "--precision bf16 needs a processor with AVX512-BF16";
    cpu->precision = precision;
    snprintf(cpu->name, sizeof cpu->name, "cpu:%s%s", LEVEL,
             precision == PRECISION_BF16 ? ":bf16" : "");
    return NULL;
}

__attribute__((visibility("default"))) msa_device_open_fn msa_device_open;

struct device *msa_device_open(int index, int threads, char *error, size_t error_size)
{
    struct cpu *cpu = calloc(1, sizeof *cpu);
    int count = 0;
    if (index != 0 || !cpu)
        snprintf(error, error_size, "%s", cpu ? "there is one CPU, number 0" : "not enough memory");
    else
        count = cpu_begin_threads(threads, error, error_size);
    if (!count) {
        free(cpu);
        return NULL;
    }
    cpu->device = (struct device){.name = cpu->name,
                                  .threads = count,
                                  .state = cpu,
                                  .allocate = cpu_allocate,
                                  .release = cpu_release,
                                  .copy_in = cpu_copy,
                                  .copy_out = cpu_copy,
                                  .wait = cpu_wait,
                                  .set_precision = cpu_set_precision,
                                  .close = cpu_close,
                                  .k = {
#define KERNEL(name, parameters, arguments) .name = cpu_##name,
#include "kernels/table.def"
#undef KERNEL
                                  }};
    cpu_set_precision(&cpu->device, PRECISION_F32);
    return &cpu->device;
}
