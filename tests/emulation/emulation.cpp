/* CUDA on the host, one thread at a time. Each thread of a block is a fiber with a stack of its
 * own, which runs until it waits for others; blocks follow one another.
 *
 * What it finds: wrong results; reading what was never written, since new memory of the device, and
 * a block's shared memory, are full of NaN; reading and writing beyond memory, with `make SAN=1`;
 * threads of a block, or of a warp, that wait at different lines, or for one that has ended
 * (abort); copies into a block's memory that nobody waits for, or that are not aligned (abort); a
 * missing barrier, where another order of threads gives other results: threads run forwards in one
 * block and backwards in the next; that the host reuses memory which the stream still needs: its
 * work is put off until somebody waits for it; and streams that do not wait for each other, or
 * share memory: of four one does its work at once, and two do theirs by turns.
 *
 * What it cannot: races within a warp or between blocks in general, the limits of registers and
 * shared memory, alignment of vectors, what cuBLAS does, also with its working memory, and anything
 * about speed. For these there is `make check-gpu`. */
#include <cuda_pipeline.h>
#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

/* The address sanitizer wants to know of every change of stacks. At a longjmp that it sees it would
 * also clear what it knows of the whole stack, which took most of the time: so it sees none. */
#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/common_interface_defs.h>
static void (*const go_on)(jmp_buf, int) = reinterpret_cast<void (*)(jmp_buf, int)>(
    dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "_longjmp"));
#else
static void (*const go_on)(jmp_buf, int) = _longjmp;
static void __sanitizer_start_switch_fiber(void **, const void *, size_t) {}
static void __sanitizer_finish_switch_fiber(void *, const void **, size_t *) {}
#endif

enum { STACK = 128 << 10, WARP = 32, MOST_THREADS = 1024 };

/* --- threads */

struct copy {
    void *to;
    const void *from;
    size_t bytes;
};

struct fiber {
    char *stack;
    jmp_buf at; /* where it goes on */
    enum { STARTS, RUNS, WAITS, ENDED } state;
    bool warp, value; /* waits for its warp alone; what it brings, and then what any has */
    const char *file; /* … and where */
    int line;
    uint64_t given[2]; /* in an exchange; the other one is that before it */
    unsigned exchanges;
    std::vector<struct copy> begun, committed; /* that it has not waited for */
};

dim3 threadIdx, blockIdx, blockDim, gridDim;
float4 *block_memory;
static struct fiber fibers[MOST_THREADS];
static jmp_buf scheduler;
static const void *host_stack;
static size_t host_stack_size;
static const std::function<void()> *code; /* of the threads that run */

static struct fiber *current()
{
    return &fibers[threadIdx.x];
}

static void leave(struct fiber *f)
{
    void *fake = NULL;
    bool ends = f->state == fiber::ENDED;
    __sanitizer_start_switch_fiber(ends ? NULL : &fake, host_stack, host_stack_size);
    if (ends || !_setjmp(f->at))
        go_on(scheduler, 1);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

static void stop(const char *why)
{
    fprintf(stderr, "emulation: thread %u %s\n", threadIdx.x, why);
    abort();
}

static void begin()
{
    __sanitizer_finish_switch_fiber(NULL, &host_stack, &host_stack_size);
    (*code)();
    current()->state = fiber::ENDED;
    if (!current()->begun.empty() || !current()->committed.empty())
        stop("ended before its copies");
    leave(current());
}

/* Runs a thread until it waits or ends. */
static void enter(struct fiber *f)
{
    void *fake = NULL;
    ucontext_t context;
    bool starts = f->state == fiber::STARTS;
    f->state = fiber::RUNS;
    __sanitizer_start_switch_fiber(&fake, f->stack, STACK);
    if (!_setjmp(scheduler)) {
        if (!starts)
            go_on(f->at, 1);
        getcontext(&context);
        context.uc_stack.ss_sp = f->stack;
        context.uc_stack.ss_size = STACK;
        makecontext(&context, begin, 0);
        setcontext(&context);
    }
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

static void wrong(const struct fiber *a, const struct fiber *b)
{
    fprintf(stderr, "emulation: thread %zu waits at %s:%d, but thread %zu ", a - fibers, a->file,
            a->line, b - fibers);
    if (b->state == fiber::ENDED)
        fprintf(stderr, "has ended\n");
    else
        fprintf(stderr, "waits at %s:%d\n", b->file, b->line);
    abort();
}

/* Do all threads from `first` to before `end` wait, for the same? Then they go on. Where one does
 * and another does not, nobody ever will. False where none does. */
static bool let_go(unsigned first, unsigned end, bool warp)
{
    struct fiber *one = NULL;
    bool any = false;
    for (unsigned i = first; i < end; i++)
        if (fibers[i].state == fiber::WAITS && fibers[i].warp == warp)
            one = &fibers[i];
    for (unsigned i = first; one && i < end; i++) {
        struct fiber *f = &fibers[i];
        if (f->state != fiber::WAITS || f->line != one->line || strcmp(f->file, one->file) != 0)
            wrong(one, f);
        any |= f->value;
    }
    for (unsigned i = first; one && i < end; i++) {
        fibers[i].state = fiber::RUNS;
        fibers[i].value = any;
    }
    return one;
}

/* Runs the threads of a warp, forwards or backwards, until they wait for the block or have ended.
 */
static void run_warp(unsigned first, unsigned end, bool backwards)
{
    do
        for (unsigned i = 0; i < end - first; i++) {
            threadIdx.x = backwards ? end - 1 - i : first + i;
            if (current()->state <= fiber::RUNS)
                enter(current());
        }
    while (let_go(first, end, true));
}

static void run_block(unsigned threads, bool backwards)
{
    unsigned warps = (threads + WARP - 1) / WARP;
    for (unsigned i = 0; i < threads; i++) {
        fibers[i].state = fiber::STARTS;
        fibers[i].exchanges = 0;
        if (!fibers[i].stack)
            fibers[i].stack = (char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    do
        for (unsigned i = 0; i < warps; i++) {
            unsigned first = (backwards ? warps - 1 - i : i) * WARP;
            run_warp(first, first + WARP < threads ? first + WARP : threads, backwards);
        }
    while (let_go(0, threads, false));
}

bool emulated_wait(bool warp, bool value, const char *file, int line)
{
    struct fiber *f = current();
    f->state = fiber::WAITS;
    f->warp = warp, f->value = value, f->file = file, f->line = line;
    leave(f);
    return f->value;
}

uint64_t emulated_exchange(uint64_t given, unsigned from, const char *file, int line)
{
    unsigned own = threadIdx.x, turn = fibers[own].exchanges++ % 2;
    fibers[own].given[turn] = given;
    emulated_wait(true, false, file, line);
    return fibers[own / WARP * WARP + from].given[turn];
}

void __pipeline_memcpy_async(void *to, const void *from, size_t bytes)
{
    uintptr_t all = (uintptr_t)to | (uintptr_t)from;
    if ((bytes != 4 && bytes != 8 && bytes != 16) || all % bytes)
        stop("copies what is not aligned");
    current()->begun.push_back({to, from, bytes});
}

void __pipeline_commit()
{
    struct fiber *f = current();
    f->committed.insert(f->committed.end(), f->begun.begin(), f->begun.end());
    f->begun.clear();
}

void __pipeline_wait_prior(size_t prior)
{
    if (prior)
        stop("waits for some of its copies");
    for (const struct copy &c : current()->committed)
        memcpy(c.to, c.from, c.bytes);
    current()->committed.clear();
}

/* --- kernels */

/* Fills this object's thread-local memory. */
static int poison_shared(struct dl_phdr_info *object, size_t, void *)
{
    const char *here = (const char *)&poison_shared;
    const ElfW(Phdr) *tls = NULL;
    bool own = false;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        size_t at = (size_t)(here - (const char *)object->dlpi_addr - part->p_vaddr);
        own |= part->p_type == PT_LOAD && at < part->p_memsz;
        tls = part->p_type == PT_TLS ? part : tls;
    }
    if (own && tls && object->dlpi_tls_data)
        memset(object->dlpi_tls_data, 0xff, tls->p_memsz);
    return own;
}

static void run_grid(dim3 grid, dim3 block, size_t memory, const std::function<void()> &thread)
{
    void *own = NULL;
    if (memory && posix_memalign(&own, alignof(float4), memory) != 0)
        abort();
    block_memory = static_cast<float4 *>(own);
    code = &thread;
    gridDim = grid;
    blockDim = block;
    for (unsigned b = 0; b < grid.x; b++) {
        dl_iterate_phdr(poison_shared, NULL);
        if (memory)
            memset(own, 0xff, memory);
        blockIdx.x = b;
        run_block(block.x, b % 2);
    }
    free(own);
}

cudaError_t emulated_launch(const struct cudaLaunchConfig_t *config, std::function<void()> thread)
{
    dim3 grid = config->gridDim, block = config->blockDim;
    if (!grid.x || grid.x > INT32_MAX || !block.x || block.x > MOST_THREADS)
        return cudaErrorInvalidConfiguration;
    size_t memory = config->dynamicSmemBytes;
    emulated_enqueue(config->stream, [=] { run_grid(grid, block, memory, thread); });
    return cudaSuccess;
}
