/* Recordings: both directions of a line, in the order in which they were seen, as one stream
 * (man/msa-stream.5, "Recordings"). */
#ifndef MSA_RECORDING_H
#define MSA_RECORDING_H

#include "common/stream/record.h"

/* Which frames of a recording came back; zeroed before the first. */
struct recording_order {
    bool recorded; /* the header has no address: this is no stream of a line at work */
    bool asked;    /* the last frame was a C on its way down */
};

/* Did this frame, the next one, come back? G did, and the second C of two in a row. */
bool recording_came_back(struct recording_order *o, const struct frame *f);
/* Does the gradient of this frame, the last one, stand behind it? In a line at work it comes
 * elsewhere. */
bool recording_gradient_follows(const struct recording_order *o, const struct frame *f);

/* Creates or empties PATH (file_open), and writes `h` signed by this program and without its
 * address. What is written is there at once, frame by frame, so that a run that is killed leaves
 * what it saw. Gzipped with -z, and where PATH ends in .gz. Fails the run: "cannot write 'PATH':
 * REASON". */
struct writer *recording_create(struct msa *m, const char *path, const struct header *h);
/* Adds a record, gradient, control or scores; a header, end or error is left to the caller. */
void recording_add(struct writer *w, const struct frame *f);
/* Ends it. Fails the run as file_expect where another program has done something to the file. */
void recording_close(struct msa *m, struct writer *w, const char *path);

#endif
