/* Frames in. A reader owns the descriptor it reads, gives frames one at a time, and names itself in
 * errors: "frame 17: …". */
#ifndef MSA_READER_H
#define MSA_READER_H

#include "common/run/mapping.h"
#include "common/stream/frame.h"

struct reader;

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
/* Gives the body back to its reader, which uses it again; a frame of zeros has none. */
void frame_free(struct frame *f);

#endif
