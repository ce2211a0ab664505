/* A run: where failures land, what is said on stderr, and the memory that goes when
 * the run ends. */
#include "common/run/run.h"
#include "common/run/mapping.h"
#include "common/run/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* In front of every piece of memory; as large as the alignment, so that what follows is aligned
 * too. */
struct msa_block {
    _Alignas(ALIGNMENT) struct msa_block *previous;
    struct msa_block *next;
    size_t bytes;
    void (*at_free)(void *);
};
static_assert(sizeof(struct msa_block) == ALIGNMENT, "the memory behind a block is aligned");

/* ---- Failing ---- */

/* Should at_fail fail itself, that ends there, and the first failure is the one that is kept. */
void msa_tell(struct msa *m)
{
    if (!m->at_fail)
        return;
    jmp_buf trap;
    enum msa_status status = m->status;
    char error[sizeof m->error];
    memcpy(error, m->error, sizeof error);
    m->trap = &trap;
    if (setjmp(trap) == 0)
        m->at_fail(m);
    m->trap = NULL;
    m->status = status;
    memcpy(m->error, error, sizeof error);
}

enum msa_status msa_run(struct msa *m, void (*body)(struct msa *))
{
    assert(!m->trap);
    jmp_buf trap;
    m->status = MSA_OK;
    m->error[0] = '\0';
    m->claims = NULL;
    m->routes = NULL;
    m->outputs = NULL;
    m->trap = &trap;
    if (setjmp(trap) == 0)
        body(m);
    else {
        mapping_explain(m);
        msa_tell(m);
    }
    m->trap = NULL;
    while (m->blocks)
        msa_free(m, m->blocks + 1);
    return m->status;
}

bool msa_try(struct msa *m, void (*body)(void *), void *closure)
{
    jmp_buf trap, *outer = m->trap;
    m->trap = &trap;
    if (setjmp(trap) != 0) {
        m->trap = outer;
        return false;
    }
    body(closure);
    m->trap = outer;
    return true;
}

void msa_forgive(struct msa *m)
{
    m->status = MSA_OK;
    m->error[0] = '\0';
}

/* Names come from files and streams. */
static void format_line(char *line, size_t size, const char *format, va_list arguments)
{
    vsnprintf(line, size, format, arguments);
    utf8_show(line);
}

void msa_fail(struct msa *m, enum msa_status status, const char *format, ...)
{
    char line[sizeof m->error]; /* the arguments may lie in m->error */
    va_list arguments;
    va_start(arguments, format);
    format_line(line, sizeof line, format, arguments);
    va_end(arguments);
    if (!m->trap) {
        fprintf(stderr, "%s: failure outside of a run: %s\n", m->program, line);
        abort();
    }
    memcpy(m->error, line, sizeof line);
    m->status = status;
    longjmp(*m->trap, 1);
}

void msa_fail_errno(struct msa *m, const char *format, ...)
{
    int reason = errno;
    char what[sizeof m->error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    msa_fail(m, MSA_FAILED, "%s: %s", what, strerror(reason));
}

void msa_written(struct msa *m, FILE *to, const char *what)
{
    if (!ferror(to))
        return;
    if (errno == EPIPE)
        msa_fail(m, MSA_CLOSED, "%s: nobody reads it any more", what);
    msa_fail_errno(m, "cannot write %s", what);
}

void msa_flush(struct msa *m, FILE *to, const char *what)
{
    errno = EIO; /* of an earlier write, whose reason is gone */
    fflush(to);
    msa_written(m, to, what);
}

/* ---- Saying ---- */

static void print_line(struct msa *m, const char *kind, const char *format, va_list arguments)
{
    char line[sizeof m->error];
    format_line(line, sizeof line, format, arguments);
    fprintf(stderr, "%s: %s%s\n", m->program, kind, line);
}

void msa_warn(struct msa *m, const char *format, ...)
{
    if (m->common.quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line(m, "warning: ", format, arguments);
    va_end(arguments);
}

void msa_say(struct msa *m, const char *format, ...)
{
    if (!m->common.verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line(m, "", format, arguments);
    va_end(arguments);
}

/* ---- Memory ---- */

static struct msa_block *block_of(void *memory)
{
    return (struct msa_block *)memory - 1;
}

/* A block whose memory is undefined, first in the list. */
static struct msa_block *block_take(struct msa *m, size_t bytes)
{
    void *memory = NULL;
    if (bytes > PTRDIFF_MAX - sizeof(struct msa_block) ||
        posix_memalign(&memory, ALIGNMENT, sizeof(struct msa_block) + bytes) != 0)
        msa_fail(m, MSA_FAILED, "out of memory: %zu bytes", bytes);
    struct msa_block *block = memory;
    *block = (struct msa_block){.next = m->blocks, .bytes = bytes};
    if (m->blocks)
        m->blocks->previous = block;
    m->blocks = block;
    return block;
}

void *msa_alloc(struct msa *m, size_t bytes)
{
    return memset(block_take(m, bytes) + 1, 0, bytes);
}

void *msa_calloc(struct msa *m, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        msa_fail(m, MSA_FAILED, "out of memory: %zu times %zu bytes", count, size);
    return msa_alloc(m, bytes);
}

void *msa_realloc(struct msa *m, void *memory, size_t bytes)
{
    struct msa_block *fresh = block_take(m, bytes);
    if (memory) {
        struct msa_block *old = block_of(memory);
        memcpy(fresh + 1, memory, bytes < old->bytes ? bytes : old->bytes);
        fresh->at_free = old->at_free;
        old->at_free = NULL;
        msa_free(m, memory);
    }
    return fresh + 1;
}

void msa_at_free(void *memory, void (*at_free)(void *memory))
{
    block_of(memory)->at_free = at_free;
}

void msa_free(struct msa *m, void *memory)
{
    if (!memory)
        return;
    struct msa_block *block = block_of(memory);
    if (block->previous)
        block->previous->next = block->next;
    else
        m->blocks = block->next;
    if (block->next)
        block->next->previous = block->previous;
    if (block->at_free)
        block->at_free(memory);
    free(block);
}

char *msa_strndup(struct msa *m, const char *text, size_t length)
{
    char *copy = msa_alloc(m, length + 1);
    return length ? memcpy(copy, text, length) : copy;
}

char *msa_format(struct msa *m, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = msa_alloc(m, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *msa_join(struct msa *m, const char *list, const char *separator, const char *word)
{
    return msa_format(m, "%s%s%s", list, *list ? separator : "", word);
}
