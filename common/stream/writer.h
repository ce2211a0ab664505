/* Frames out. A writer owns the descriptor it writes to, and writes each frame whole and at once.
 */
#ifndef MSA_WRITER_H
#define MSA_WRITER_H

#include "common/run/file.h"
#include "common/stream/frame.h"

struct writer;
struct body; /* body.h */

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
/* Bytes that the descriptor has taken, and how many of them are still in the pipe, read by nobody;
 * 0 where it is no pipe. */
uint64_t writer_sent(const struct writer *w);
uint64_t writer_unread(const struct writer *w);
/* Nothing can be written any more: nobody is at the other end. */
bool writer_broken(const struct writer *w);
int writer_fd(const struct writer *w); /* to poll */
/* Of a stream that is written in place: fails the run as file_expect. */
void writer_expect(struct writer *w, const struct target *t);
void writer_close(struct writer *w);

#endif
