/* A library to preload: one call fails that else would not, in the manner of SQLite's tests.
 *
 *   MSA_FAULT=KIND:N    the Nth call of that kind fails; KIND:N+ that one and all later ones
 *   MSA_FAULT_LOG=FILE  gets "fired CALL" when one has; at the end "calls NUMBER", of that kind,
 * "peak BYTES", of memory at one time, and "leaked BYTES CALLS" when some was not given back
 *
 * Kinds are malloc, read, write, fsync, rename, mmap, connect, open and thread, each with its
 * relatives; and abort, exit and crash, which oneDNN does then, in a product.
 * Memory is counted that the program, its kernels and the libraries whose results it checks ask
 * for; oneDNN, OpenMP and the loader are left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

/* ---- Which call fails ---- */

static struct {
    char kind[16];
    long number; /* of the call that fails; 0: none */
    bool all;    /* those behind it too */
    const char *log;
} plan;
static long calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    int fd = plan.log ? open(plan.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    struct iovec v = {line, (size_t)length};
    if (fd < 0)
        return;
    ssize_t (*next)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    next(fd, &v, 1);
    close(fd);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("MSA_FAULT"), *log = getenv("MSA_FAULT_LOG");
    char plus = 0;
    long number = 0;
    if (!text || sscanf(text, "%15[a-z]:%ld%c", plan.kind, &number, &plus) < 2)
        return;
    plan.all = plus == '+';
    plan.log = log;
    plan.number = number;
}

/* Does this call fail? Says so in the log when it is the first. */
static bool fails(const char *kind, const char *call)
{
    if (!plan.number || strcmp(kind, plan.kind) != 0)
        return false;
    pthread_mutex_lock(&lock);
    long n = ++calls;
    pthread_mutex_unlock(&lock);
    if (n == plan.number)
        note("fired %s\n", call);
    return n == plan.number || (plan.all && n > plan.number);
}

#define NEXT(type, name, parameters, arguments)                                                    \
    type(*next) parameters = (type(*) parameters)dlsym(RTLD_NEXT, name);                           \
    return next arguments

/* ---- Memory ---- */

enum { SLOTS = 1 << 20 };
static struct {
    void *memory;
    size_t bytes;
} slots[SLOTS];
static size_t live_bytes, live_count, peak_bytes;

static bool in(const char *path, const char *const *names)
{
    const char *slash = strrchr(path, '/');
    for (; *names; names++)
        if (strncmp(slash ? slash + 1 : path, *names, strlen(*names)) == 0)
            return true;
    return false;
}

/* Whose call is it: 0 somebody's that is left alone, 1 libc's, 2 the program's and its libraries'.
 */
static int origin(void *caller)
{
    static const char *const own[] = {"msa-", "libmsgpackc", "libjansson", "libz.", NULL};
    static const char *const libc[] = {"libc.", NULL};
    struct dl_find_object object;
    if (!plan.number || _dl_find_object(caller, &object))
        return 0;
    const char *path = object.dlfo_link_map->l_name; /* "": the program */
    return !*path || in(path, own) ? 2 : in(path, libc);
}

static size_t slot_of(void *memory)
{
    size_t i = ((uintptr_t)memory >> 4) * 2654435761u % SLOTS;
    while (slots[i].memory && slots[i].memory != memory)
        i = (i + 1) % SLOTS;
    return i;
}

static void *taken(void *memory, size_t bytes, int from)
{
    if (from < 2 || !memory)
        return memory;
    pthread_mutex_lock(&lock);
    size_t i = slot_of(memory);
    live_count += !slots[i].bytes;
    live_bytes += bytes - slots[i].bytes;
    slots[i].memory = memory; /* it stays when the memory has gone, so that searches go past it */
    slots[i].bytes = bytes ? bytes : 1;
    live_bytes += !bytes;
    peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
    pthread_mutex_unlock(&lock);
    return memory;
}

static void given(void *memory)
{
    if (!plan.number || !memory)
        return;
    pthread_mutex_lock(&lock);
    size_t i = slot_of(memory);
    live_count -= slots[i].bytes != 0;
    live_bytes -= slots[i].bytes;
    slots[i].bytes = 0;
    pthread_mutex_unlock(&lock);
}

static bool no_memory(int from, const char *call)
{
    bool none = from && fails("malloc", call);
    if (none)
        errno = ENOMEM;
    return none;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t bytes)
{
    int from = origin(CALLER);
    return no_memory(from, "malloc") ? NULL : taken(__libc_malloc(bytes), bytes, from);
}

void *calloc(size_t count, size_t size)
{
    int from = origin(CALLER);
    return no_memory(from, "calloc") ? NULL : taken(__libc_calloc(count, size), count * size, from);
}

void *realloc(void *memory, size_t bytes)
{
    int from = origin(CALLER);
    if (no_memory(from, "realloc"))
        return NULL;
    given(memory);
    return taken(__libc_realloc(memory, bytes), bytes, from);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    int from = origin(CALLER);
    return no_memory(from, "aligned_alloc") ? NULL
                                            : taken(__libc_memalign(alignment, bytes), bytes, from);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    int from = origin(CALLER);
    if (no_memory(from, "posix_memalign"))
        return ENOMEM;
    *memory = taken(__libc_memalign(alignment, bytes), bytes, from);
    return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
    given(memory);
    __libc_free(memory);
}

__attribute__((destructor)) static void end(void)
{
    note("calls %ld\npeak %zu\n", calls, peak_bytes);
    if (live_count)
        note("leaked %zu bytes in %zu calls\n", live_bytes, live_count);
}

/* ---- The system ---- */

ssize_t read(int fd, void *to, size_t size)
{
    if (fails("read", "read"))
        return errno = EIO, -1;
    NEXT(ssize_t, "read", (int, void *, size_t), (fd, to, size));
}

/* Why a write fails: the disk is full. */
static int full(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? ENOSPC : EIO;
}

ssize_t pread(int fd, void *to, size_t size, off_t at)
{
    if (fails("read", "pread"))
        return errno = EIO, -1;
    NEXT(ssize_t, "pread", (int, void *, size_t, off_t), (fd, to, size, at));
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
    if (fails("write", "writev"))
        return errno = full(fd), -1;
    NEXT(ssize_t, "writev", (int, const struct iovec *, int), (fd, v, count));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (fails("write", "sendmsg"))
        return errno = EIO, -1;
    NEXT(ssize_t, "sendmsg", (int, const struct msghdr *, int), (fd, message, flags));
}

/* Standard error stays what it is: it is what the test reads. Where there is nothing to write
 * nothing can fail. */
int fflush(FILE *stream)
{
    if (stream && stream != stderr && __fpending(stream) && fails("write", "fflush"))
        return errno = full(fileno(stream)), EOF;
    NEXT(int, "fflush", (FILE *), (stream));
}

int ftruncate(int fd, off_t length)
{
    if (fails("write", "ftruncate"))
        return errno = EIO, -1;
    NEXT(int, "ftruncate", (int, off_t), (fd, length));
}

int fsync(int fd)
{
    if (fails("fsync", "fsync"))
        return errno = ENOSPC, -1;
    NEXT(int, "fsync", (int), (fd));
}

int rename(const char *from, const char *to)
{
    if (fails("rename", "rename"))
        return errno = ENOSPC, -1;
    NEXT(int, "rename", (const char *, const char *), (from, to));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    if (fails("rename", "linkat"))
        return errno = ENOSPC, -1;
    NEXT(int, "linkat", (int, const char *, int, const char *, int),
         (from_folder, from, to_folder, to, flags));
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (origin(CALLER) == 2 && fails("mmap", "mmap"))
        return errno = ENOMEM, MAP_FAILED;
    NEXT(void *, "mmap", (void *, size_t, int, int, int, off_t),
         (where, size, protection, flags, fd, offset));
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (fails("connect", "connect"))
        return errno = ECONNREFUSED, -1;
    NEXT(int, "connect", (int, const struct sockaddr *, socklen_t), (fd, address, size));
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    if (fails("connect", "bind"))
        return errno = ENOMEM, -1;
    NEXT(int, "bind", (int, const struct sockaddr *, socklen_t), (fd, address, size));
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (fails("connect", "accept4"))
        return errno = EMFILE, -1;
    NEXT(int, "accept4", (int, struct sockaddr *, socklen_t *, int), (fd, address, size, flags));
}

int socket(int domain, int type, int protocol)
{
    if (fails("open", "socket"))
        return errno = EMFILE, -1;
    NEXT(int, "socket", (int, int, int), (domain, type, protocol));
}

int dup(int fd)
{
    if (fails("open", "dup"))
        return errno = EMFILE, -1;
    NEXT(int, "dup", (int), (fd));
}

/* A lock of an open file, or another descriptor of it. */
int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_OFD_SETLK && fails("open", "fcntl"))
        return errno = ENOLCK, -1;
    if (command == F_DUPFD_CLOEXEC && fails("open", "fcntl"))
        return errno = EMFILE, -1;
    NEXT(int, "fcntl", (int, int, ...), (fd, command, argument));
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    bool moded = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = moded ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (origin(CALLER) == 2 && fails("open", "open"))
        return errno = EMFILE, -1;
    NEXT(int, "open", (const char *, int, ...), (path, flags, mode));
}

FILE *fopen(const char *path, const char *mode)
{
    if (origin(CALLER) == 2 && fails("open", "fopen"))
        return errno = EMFILE, NULL;
    NEXT(FILE *, "fopen", (const char *, const char *), (path, mode));
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    if (fails("thread", "pthread_create"))
        return EAGAIN;
    NEXT(int, "pthread_create", (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *),
         (thread, attributes, run, argument));
}

/* ---- oneDNN, whose product the kernels look up by name ---- */

typedef void *lookup(void *library, const char *name);

static lookup *real_dlsym(void)
{
    return (lookup *)dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
}

static int sgemm(char op_a, char op_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                 int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    static __typeof__(sgemm) *next;
    if (!next)
        next = (__typeof__(sgemm) *)real_dlsym()(dlopen("libdnnl.so.2", RTLD_LAZY | RTLD_NOLOAD),
                                                 "dnnl_sgemm");
    if (fails("abort", "abort"))
        abort();
    if (fails("exit", "exit"))
        exit(1);
    if (fails("crash", "crash"))
        raise(SIGSEGV);
    return next(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void *dlsym(void *library, const char *name)
{
    return strcmp(name, "dnnl_sgemm") == 0 ? (void *)sgemm : real_dlsym()(library, name);
}
