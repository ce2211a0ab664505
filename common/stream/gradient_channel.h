/* The way back: how a stage takes gradients and controls from the next one, over an abstract Unix
 * socket (man/msa-stream.5, "The way back").
 *
 * A stage listens (back_listen) and writes the address into the header it passes on; the next stage
 * that has a way back connects as soon as it has read that header (back_connect) and writes H of
 * mode "back". */
#ifndef MSA_GRADIENT_CHANNEL_H
#define MSA_GRADIENT_CHANNEL_H

#include "common/stream/gradient_peers.h"
#include "common/stream/record.h"

enum { BACK_NOTICE = 5 }; /* seconds: says that nobody has connected */

struct back; /* the listening end: of the stage before */

/* Opens the listening socket; its address (gradient_peers.h) into `address`. `forward` takes the
 * header to the program that is to connect: where nobody reads it any more and nobody has
 * connected, back_next ends the run with MSA_CLOSED. NULL: not watched. */
struct back *back_listen(struct msa *m, struct writer *forward, char address[BACK_ADDRESS]);
/* To be called when the header has been written. */
void back_announced(struct back *b);
/* Waits until a stage has connected; to be called before E goes forward, for who reads that may end
 * well before another has connected, and `forward` tells nothing any more. */
void back_await_peer(struct back *b);
/* The next frame from the stage that connected. The first call waits until its H is there, with the
 * token (peers_admit), and fails with MSA_FAILED when that takes longer than --wait, counted from
 * when the next program has read the header: "nobody takes gradients back: does the line end in
 * msa-backprop? to look: msa-dump -t, or msa-load --split train". The same is a warning after
 * BACK_NOTICE seconds, and that the header has not been read is one each minute. A peer that goes
 * without E or X ends the run: MSA_OTHER (silent) where there are stages behind the peer to report
 * it, else MSA_CUT with a line that names the peer; an X frame from it: MSA_OTHER. After E has been
 * returned f->kind is 0. */
void back_next(struct back *b, struct frame *f);
/* Is a frame or the peer's end there, so that back_next need not wait? Lets a peer in that has
 * come, and minds BACK_NOTICE and --wait: who waits with poll calls it when back_fd is
 * readable, and every second or so. */
bool back_ready(struct back *b);
int back_fd(const struct back *b); /* to poll: the listening socket, then the peer's */

/* Connects to the stage before and sends H (mode back, this program's name; `last` when nothing
 * stands behind it). The writer forgives (writer_forgive): when that stage has gone, the forward
 * stream says why. So it does when it cannot be reached: an X there comes first (MSA_OTHER);
 * `forward` may be NULL. Else fails the run with MSA_FAILED: "cannot reach the stage before at
 * @0012f: REASON (all stages of a training line share host, user and network namespace, and each
 * has one successor)". */
struct writer *back_connect(struct msa *m, const char *address, bool last, struct reader *forward);

#endif
