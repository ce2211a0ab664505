/* Bytes out: to a descriptor, gzipped if asked for. For writer.c alone. */
#ifndef MSA_OUTPUT_H
#define MSA_OUTPUT_H

#include "common/stream/writer.h"
#include <sys/uio.h>
#include <zlib.h>

enum { OUTPUT_PACKED = 1 << 16 };

struct output_gzip {
    z_stream z;
    gz_header header;
    uint8_t packed[OUTPUT_PACKED];
};

struct output {
    struct msa *m;
    int fd;
    const char *name;
    bool socket;
    bool forgiven;             /* that nobody reads is no failure */
    bool broken;               /* a write failed: nothing can be written any more */
    uint64_t sent;             /* bytes */
    bool nonblocking, careful; /* see make_nonblocking */
    writer_wait_fn *wait;
    void *closure;
    struct output_gzip *gzip; /* NULL: not compressed */
};

/* Owned by the run, with its descriptor. */
struct output *output_open(struct msa *m, int fd, const char *name);
void output_gzip(struct output *o); /* does nothing where it is done already, or on a socket */
void output_on_wait(struct output *o, writer_wait_fn *wait, void *closure);
/* Writes all of v[n], whose entries are used up. */
void output_send(struct output *o, struct iovec *v, size_t n);
/* Nothing follows. */
void output_finish(struct output *o);
/* Sends and finishes within `milliseconds`, or not; never fails. */
void output_try(struct output *o, const uint8_t *bytes, size_t size, int milliseconds);
void output_close(struct output *o);

#endif
