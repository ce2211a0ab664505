/* The tasks of a line: what its losses are called, as the stream has it (msa-stream(5), H and D).
 */
#ifndef MSA_TASKS_H
#define MSA_TASKS_H

#include "common/stream/record.h"

enum { TASKS_MOST = 16 };

/* Each once, in their order. */
struct tasks {
    int count;
    char names[TASKS_MOST][BODY_KEY + 1];
};

/* Those that the header has; none where it says nothing of them. Fails the run with MSA_CORRUPT
 * where `tasks` is no array of at most TASKS_MOST names. */
struct tasks tasks_of(const struct header *h);
/* Adds those that a record alone has. Fails the run with MSA_CORRUPT where there is no room. */
void tasks_add_record(struct tasks *t, const struct record *r);

#endif
