/* Bytes in: from a descriptor, inflated if they are gzip's, or from memory as they are. For
 * reader.c alone. */
#ifndef MSA_INPUT_H
#define MSA_INPUT_H

#include "common/run/gunzip.h"
#include "common/run/mapping.h"
#include "common/stream/frame.h"

enum { INPUT_BUFFER = GUNZIP_BUFFER };

struct input {
    struct msa *m;
    int fd; /* -1: in memory */
    const char *name;
    bool regular;         /* it is a file */
    bool started;         /* something has been read */
    bool ended;           /* the last frame has been read: set by the reader */
    uint32_t count;       /* frames read: set by the reader */
    const uint8_t *bytes; /* plain ones: the buffer, or the memory */
    size_t at, filled;    /* those of them that are waiting */
    struct gunzip *gzip;  /* NULL: not compressed */
    void (*cut)(void *closure);
    void *closure;
    uint8_t buffer[INPUT_BUFFER];
};

/* Fails the run, naming the frame that is being read. */
#define INPUT_CORRUPT(in, ...)                                                                     \
    frame_fail((in)->m, &(struct frame){.seq = (in)->count, .from = (in)->name}, NULL, __VA_ARGS__)

/* Owned by the run, with its descriptor. */
struct input *input_open(struct msa *m, int fd, const char *name);
struct input *input_open_mapped(struct msa *m, struct mapping map, const char *name);
/* The next `size` bytes where they lie, if they are in memory; else NULL. */
const uint8_t *input_in_place(struct input *in, size_t size);
/* Exactly `size` bytes; fails the run with MSA_CUT when the input ends before. */
void input_take(struct input *in, uint8_t *to, size_t size);
/* Inflates compressed bytes that are waiting, so that in->filled tells whether a frame may be
 * there. */
void input_inflate_ahead(struct input *in);
/* Are there bytes behind the last frame? Waits for them only in a file, and in gzip
 * before its end. */
bool input_more(struct input *in);
void input_close(struct input *in);

#endif
