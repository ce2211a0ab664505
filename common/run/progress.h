/* A progress line on stderr: rewritten in place, only on a terminal and in the foreground (or
 * --progress always, when each change is a line of its own if stderr is no terminal). */
#ifndef MSA_PROGRESS_H
#define MSA_PROGRESS_H

#include "common/run/run.h"

struct progress {
    bool shown; /* is there anyone to see it */
    bool terminal;
    double last; /* seconds, CLOCK_MONOTONIC, of the last line */
    int width;   /* of the line that is on the screen */
};

struct progress progress_start(const struct msa *m);
/* Shows the line, at most ten times a second unless `last`. */
void progress_show(struct progress *p, bool last, const char *format, ...) MSA_PRINTF(3, 4);
/* Takes the line off the screen, so that other output can follow. */
void progress_clear(struct progress *p);

#endif
