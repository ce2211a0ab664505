/* Frames: the 18-byte prefix, its checks, and whole bodies in and out (man/msa-stream.5).
 *
 * A reader owns the descriptor it reads and gives frames one at a time; a writer writes each frame
 * whole and at once. Both name themselves in errors: "frame 17: …". body_validate.c
 * walks a body before anything is made of it. */
#ifndef MSA_FRAME_H
#define MSA_FRAME_H

#include "common/run/file.h"
#include <msgpack.h>

enum frame_kind {
    FRAME_HEADER = 'H',
    FRAME_DATA = 'D',
    FRAME_CONTROL = 'C',
    FRAME_METRICS = 'M',
    FRAME_GRADIENT = 'G',
    FRAME_END = 'E',
    FRAME_ERROR = 'X'
};

enum {
    FRAME_PREFIX = 18,
    FRAME_VERSION = 1,
    FRAME_NO_CRC = 1 /* the one flag: crc is 0 and not checked */
};
enum { BODY_DEPTH = 8, BODY_OBJECTS = 1 << 20, BODY_PAIRS = 256, BODY_KEY = 128 /* bytes */ };

/* A frame that was read: its body, walked and unpacked. map points into body and zone. */
struct frame {
    enum frame_kind kind;
    uint32_t seq;
    const char *from; /* name of its reader */
    uint8_t *body;    /* 64-byte aligned, unless it is mapped */
    size_t length;
    msgpack_object map;
    msgpack_zone *zone;
};

struct reader;
struct writer;

/* --max-frame: the longest body that is read or written. */
size_t frame_limit(const struct msa *m);
/* Fails the run with MSA_CORRUPT: "frame 17, tensor 'audio': …"; `tensor` may be NULL. */
_Noreturn void frame_fail(struct msa *m, const struct frame *f, const char *tensor,
                          const char *format, ...) MSA_PRINTF(4, 5);
/* What an X frame tells: "WHO: WHAT", owned by the run. */
const char *frame_reason(struct msa *m, const struct frame *x);
/* Ends the run because another program's did: MSA_OTHER, with that reason. */
_Noreturn void frame_fail_other(struct msa *m, const struct frame *x);

/* Reads frames from fd; `name` is for errors ("stdin", "way back", a path) and must outlive the
 * reader. Inflates gzip if the first bytes are gzip's. Refuses a terminal (MSA_USAGE). */
struct reader *reader_open(struct msa *m, int fd, const char *name);
/* The file at `path`, or stdin for "-". Fails the run: "cannot read 'PATH': REASON". */
struct reader *reader_open_path(struct msa *m, const char *path);
/* Reads frames from memory, which must outlive them: bodies stay where they are. Gzip is not
 * recognised. */
struct reader *reader_open_mapped(struct msa *m, struct mapping map, const char *name);
/* Calls cut(closure) where the input ends before E or X; it ends the run, else the reader does,
 * with MSA_CUT. */
void reader_on_cut(struct reader *r, void (*cut)(void *closure), void *closure);
/* The next frame; the caller hands it back with frame_free. Fails the run: MSA_CORRUPT for a frame
 * that is wrong (magic, version, kind, flags, seq, length, CRC, body), MSA_CUT when the input ends
 * before E or X. A body is never allocated on trust: the buffer grows with what has been read. The
 * first frame is H or X, and H is nowhere else. Returns false after E or X has been read (bytes
 * behind them are MSA_CORRUPT, always when the input is a file, else when they are seen). */
bool reader_next(struct reader *r, struct frame *f);
uint32_t reader_count(const struct reader *r); /* frames read */
bool reader_started(const struct reader *r);   /* a byte has been read */
int reader_fd(const struct reader *r);         /* to poll */
bool reader_buffered(const struct reader *r);  /* bytes are waiting inside, do not poll */
void reader_close(struct reader *r);
void frame_free(struct reader *r, struct frame *f); /* its body is used again */

/* A body being packed. Strings and numbers are copied; tensor payloads and long bins are referenced
 * until the frame is written. */
struct body {
    msgpack_vrefbuffer buffer;
    msgpack_packer packer;
    size_t length; /* packed so far */
    struct msa *m;
};

/* Called before each wait for the descriptor to take more bytes, when the writer is not to block
 * blindly. */
typedef void writer_wait_fn(void *closure, int fd);

/* Writes frames to fd, which it closes in the end. Refuses a terminal. Asks for a 1 MiB pipe. CRC
 * and gzip follow m->common, but a socket is never gzipped. SIGPIPE must be ignored (program_main
 * sees to it). */
struct writer *writer_open(struct msa *m, int fd, const char *name);
/* With a wait function the descriptor is made non-blocking (until the writer closes) and wait is
 * called instead of blocking in write; it returns when it is worth trying again, or
 * ends the run. */
void writer_on_wait(struct writer *w, writer_wait_fn *wait, void *closure);
/* A closed pipe or socket is no failure of this writer: frames then go nowhere, and the other way,
 * where this stage reads next, tells why. */
void writer_forgive(struct writer *w);
/* Gzips the stream, whatever -z says; before its first frame. */
void writer_gzip(struct writer *w);
/* Frames have their CRC, whatever --no-crc says; before its first frame. */
void writer_checked(struct writer *w);
/* One body at a time: beginning another drops one that was not written. */
struct body *body_begin(struct writer *w);
/* Writes the frame; the body is spent. A closed pipe or socket fails the run with MSA_CLOSED. */
void body_write(struct writer *w, struct body *b, enum frame_kind kind);
/* Writes a frame that was read: its body, byte for byte, under the next number of this stream. */
void frame_write(struct writer *w, const struct frame *f);
/* Ends the stream: E with the number of frames before it; a gzip stream is finished; nothing may
 * follow. */
void writer_end(struct writer *w);
/* X with who and what, if anything can still be written; never fails, never waits for long. */
void writer_error(struct writer *w, const char *who, const char *what);
/* Of a stream that is written in place: fails the run as file_expect. */
void writer_expect(struct writer *w, const struct target *t);
void writer_close(struct writer *w);

/* Walks a body without allocating: exactly one map with str keys (maps inside it may have bin keys)
 * and nothing behind it, depth, number of objects and pairs within the limits, no ext types, all
 * lengths inside, str in UTF-8, keys of 1 to BODY_KEY bytes of printable UTF-8 without duplicates
 * in every map. Returns NULL, or what is wrong ("key 'loss' twice"), in text. */
const char *body_walk(const uint8_t *bytes, size_t length, char text[256]);

#endif
