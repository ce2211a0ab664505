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

/* Not as a column that tables have anyway: `epoch`, `lr`, a metric, w_*, and so on. */
bool task_may_be_called(const char *name);
/* Fails the run with MSA_CORRUPT where no task may be called as this loss of the record. */
void tasks_check_loss(const struct record *r, const char *name);

/* Those that the header has; none where it says nothing of them. Fails the run with MSA_CORRUPT
 * where `tasks` is no array of at most TASKS_MOST names that tasks may have. */
struct tasks tasks_of(const struct header *h);
/* Adds those that a record alone has. Fails the run with MSA_CORRUPT where there is no room, and as
 * tasks_check_loss. */
void tasks_add_record(struct tasks *t, const struct record *r);

#endif
