/* Streams in memory, for the tests of common/stream. */
#ifndef TEST_STREAM_H
#define TEST_STREAM_H

#include "common/stream/prefix.h"
#include "common/stream/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct bytes {
    uint8_t *data;
    size_t size;
};

typedef void write_fn(struct msa *m, struct writer *w);
typedef void read_fn(struct msa *m, struct reader *r);

/* A run that reads or writes one stream; the run comes first, so that its address is
 * that of both. */
struct streaming {
    struct msa m;
    int fd;
    write_fn *write;
    read_fn *read;
};

static inline struct streaming streaming(struct msa_common common)
{
    static char program[] = "msa-test", option[] = "--x";
    static char *argv[] = {program, option, NULL};
    return (struct streaming){
        .m = {.program = "msa-test", .argc = 2, .argv = argv, .common = common}};
}

static inline void write_body(struct msa *m)
{
    struct streaming *s = (struct streaming *)m;
    struct writer *w = writer_open(m, s->fd, "test");
    s->write(m, w);
    writer_close(w);
}

/* What `write` writes, to be freed. */
static inline struct bytes written(struct msa_common common, write_fn *write)
{
    struct streaming s = streaming(common);
    int file = memfd_create("stream", 0);
    s.fd = dup(file);
    s.write = write;
    enum msa_status status = msa_run(&s.m, write_body);
    if (status != MSA_OK)
        fail_msg("writing: status %d: %s", (int)status, s.m.error);
    struct bytes b = {.size = (size_t)lseek(file, 0, SEEK_END)};
    b.data = malloc(b.size + 1);
    assert_int_equal(pread(file, b.data, b.size, 0), b.size);
    close(file);
    return b;
}

static inline void read_body(struct msa *m)
{
    struct streaming *s = (struct streaming *)m;
    struct reader *r = reader_open(m, s->fd, "test");
    s->read(m, r);
    reader_close(r);
}

/* Runs `read` over bytes and returns the run, whose status and error can be looked at. */
static inline struct msa reading(struct msa_common common, const uint8_t *data, size_t size,
                                 read_fn *read)
{
    struct streaming s = streaming(common);
    s.fd = memfd_create("stream", 0);
    assert_int_equal(write(s.fd, data, size), size);
    lseek(s.fd, 0, SEEK_SET);
    s.read = read;
    msa_run(&s.m, read_body);
    return s.m;
}

/* Reads all frames. */
static inline void read_all(struct msa *m, struct reader *r)
{
    (void)m;
    struct frame f;
    while (reader_next(r, &f))
        frame_free(&f);
    assert_false(reader_next(r, &f));
}

static inline void assert_fails(const struct msa *m, enum msa_status status, const char *error)
{
    assert_int_equal(m->status, status);
    if (!strstr(m->error, error))
        fail_msg("'%s' but expected '%s'", m->error, error);
}

/* A frame with a right prefix around any body, appended to b. */
static inline void append_frame(struct bytes *b, uint8_t kind, uint32_t seq, const void *body,
                                size_t size)
{
    struct prefix p = {
        .magic = {0xd8, 0x4d}, .version = 1, .kind = kind, .seq = seq, .length = (uint32_t)size};
    p.crc = libdeflate_crc32(prefix_crc(&p), body, size);
    b->data = realloc(b->data, b->size + sizeof p + size);
    memcpy(b->data + b->size, &p, sizeof p);
    memcpy(b->data + b->size + sizeof p, body, size);
    b->size += sizeof p + size;
}

/* A header, and a record with a tensor x of 8.4 MB: 0, 1, 2 … */
static inline void write_large(struct msa *m, struct writer *w)
{
    size_t shape[] = {3, 700000};
    float *x = msa_calloc(m, 3 * 700000, sizeof *x);
    for (int i = 0; i < 2100000; i++)
        x[i] = (float)i;
    struct record r;
    header_write(header_new(m), w);
    record_new(m, &r);
    record_put(m, &r, tensor_of("x", F4, x, 2, shape));
    record_write(&r, w, FRAME_DATA);
    record_free(&r);
    writer_end(w);
}

#endif
