/* One run of one program: its name, where its errors go, the memory it owns.
 *
 * Everything that can fail takes a struct msa. A failure is one call of msa_fail, which prints
 * nothing and returns nowhere: it keeps the line and the exit status and jumps to the msa_run that
 * is waiting. So no function below it passes error codes around, and a reader of hostile bytes can
 * be called in a loop by a fuzzer. Memory taken with msa_alloc belongs to the run and is released
 * at its end, whatever happened; free earlier what lives shorter. */
#ifndef MSA_RUN_H
#define MSA_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MSA_VERSION "0.2.0"

#define MSA_PRINTF(at, first) __attribute__((format(printf, at, first)))

/* Exit statuses; an interface, listed in msa(7). */
enum msa_status {
    MSA_OK = 0,
    MSA_FAILED = 1,  /* it failed, or a check is false */
    MSA_USAGE = 2,   /* bad options */
    MSA_CORRUPT = 3, /* corrupt stream, or bad data file */
    MSA_CUT = 4,     /* the stream ended without E or X */
    MSA_OTHER = 5,   /* another stage failed, and has said why: silent */
    MSA_DEVICE = 6,  /* no such device, or it failed */
    MSA_CLOSED = 141 /* downstream closed its end (what a shell shows for SIGPIPE): silent */
};

enum msa_progress { MSA_PROGRESS_AUTO, MSA_PROGRESS_ALWAYS, MSA_PROGRESS_NEVER };

/* The options that every program has (common/run/option.c holds their table). */
struct msa_common {
    bool quiet, verbose;
    const char *output; /* -o FILE; NULL or "-": stdout */
    bool gzip;          /* -z */
    const char *device; /* as --device takes it */
    int precision;      /* enum precision of kernels/kernels.h */
    long threads;       /* 0: as many as the machine has */
    int progress;       /* enum msa_progress */
    bool check_finite;
    long max_frame; /* bytes of a body; limit before any allocation */
    bool no_crc;
    long wait; /* seconds, for the next program to connect to the gradient channel */
};

struct msa_block;

struct msa {
    const char *program; /* "msa-encode" */
    int argc;            /* the command line, for the stream's header */
    char **argv;
    struct msa_common common;
    const struct program *of; /* its tables (common/run/option.h); NULL before options are parsed */
    void *settings;           /* the program's own options, as its table filled them in */
    void **variants;          /* those of its variants, in their order */
    uint32_t *given; /* for which keys options were (option_set), in the order of all tables */
    uint32_t chosen; /* variants that are at work, a bit each */
    const struct variant *named; /* that the first operand names, where one does (option.h) */
    char **operands;             /* arguments that are not options, NULL-terminated */
    int operand_count;

    enum msa_status status; /* of the failure, or set by a program that ends well but not with 0 */
    char error[1024];       /* the line of the failure, without the program's name */
    void (*at_fail)(struct msa *); /* told of a failure before memory goes; NULL: nobody */
    void *stream; /* what at_fail needs: the open ends of the line (common/stage/stage_fail.c) */
    struct claim *claims; /* files that are this run's alone (common/run/file_lock.h) */
    struct route *routes; /* where links have led (common/run/target.h) */
    struct outputs
        *outputs; /* what it reads and writes (common/run/output_rules.h); NULL: not known */

    jmp_buf *trap;
    struct msa_block *blocks;
};

/* Runs body(m) and returns the status: 0, m->status as body left it, or that of msa_fail. After a
 * failure at_fail has been called and m->error holds the line; everything allocated through m is
 * released. Prints nothing. May not be nested on one struct msa. */
enum msa_status msa_run(struct msa *m, void (*body)(struct msa *));

/* Calls at_fail, if there is one, of a run that ends with m->error and m->status. msa_run does. */
void msa_tell(struct msa *m);

/* Calls body(closure) within a run, which goes on where that fails: returns false, and m->error and
 * m->status say why until the next failure. What it has allocated stays until the run ends. */
bool msa_try(struct msa *m, void (*body)(void *closure), void *closure);
/* The run has got over what msa_try has caught: it is not how it ends. */
void msa_forgive(struct msa *m);

/* Ends the run. The line has no program name, no capital, no full stop:
 * "frame 17, tensor 'audio': shape [32,50,6] but expected [*,*,5]". */
_Noreturn void msa_fail(struct msa *m, enum msa_status status, const char *format, ...)
    MSA_PRINTF(3, 4);
/* Ends the run for a failed system call: "WHAT: strerror(errno)", status MSA_FAILED. */
_Noreturn void msa_fail_errno(struct msa *m, const char *format, ...) MSA_PRINTF(2, 3);

/* To be called right after writing. Where that has failed, the run ends: "cannot write WHAT: …", or
 * silently with MSA_CLOSED where nobody reads any more. */
void msa_written(struct msa *m, FILE *to, const char *what);
/* Writes what is still in memory, with the same end where that fails or a write before it has. */
void msa_flush(struct msa *m, FILE *to, const char *what);

/* A line on stderr, "msa-load: warning: …", unless -q. */
void msa_warn(struct msa *m, const char *format, ...) MSA_PRINTF(2, 3);
/* A line on stderr with -v only. */
void msa_say(struct msa *m, const char *format, ...) MSA_PRINTF(2, 3);

/* Zeroed, 64-byte aligned memory that belongs to the run; never NULL (fails the run instead). */
void *msa_alloc(struct msa *m, size_t bytes);
/* count * size, refusing overflow. */
void *msa_calloc(struct msa *m, size_t count, size_t size);
/* Grows or shrinks a block to `bytes`, keeping its contents (new bytes are undefined); NULL grows
 * from nothing. */
void *msa_realloc(struct msa *m, void *block, size_t bytes);
void msa_free(struct msa *m, void *block); /* NULL is fine */
/* Has at_free(block) called when the block goes, be it by msa_free or at the end of the run: it
 * closes what the block holds (descriptors, mappings). At the end the newest blocks go first, so
 * what a block was made from is still there. at_free may not use the run. */
void msa_at_free(void *block, void (*at_free)(void *block));
/* A copy of `length` bytes, with those that are 0, and a 0 behind it. */
char *msa_strndup(struct msa *m, const char *text, size_t length);
char *msa_format(struct msa *m, const char *format, ...) MSA_PRINTF(2, 3);
/* A list with one more word behind it; "" has none yet. */
char *msa_join(struct msa *m, const char *list, const char *separator, const char *word);

#endif
