/* Control frames C (and M, which only passes): one map, of which a stage knows some keys and passes
 * on the others.
 *
 * msa-load sends `epoch`, `step` (training steps done), `checkpoint` (from 1) and `epoch_done`; on
 * the way down stages whose parameters are not finite set `finite` to false, and a judge adds
 * `best` and `stop`; stages add to `state` on the way back. */
#ifndef MSA_CONTROL_H
#define MSA_CONTROL_H

#include "common/stream/value.h"
#include "common/stream/writer.h"

struct control {
    value map; /* lives in zone */
    msgpack_zone *zone;
    struct msa *m;
};

struct control control_new(struct msa *m);
/* A copy of a frame's map; the frame may go. Fails the run with MSA_CORRUPT where one of these keys
 * is of another type. */
struct control control_parse(struct msa *m, const struct frame *f);
/* Does it end a survey? Then it is no checkpoint. */
bool control_is_survey(const struct control *c);
void control_write(const struct control *c, struct writer *w, enum frame_kind kind);
void control_free(struct control *c);
/* Adds `state` under the stage's own key, "NUMBER:PROGRAM". */
void control_add_state(struct msa *m, struct control *c, int position, value state);
/* Adds to a stage's `state`, under `own`, that of one of its parts: a network, a task. */
void control_add_own(struct msa *m, struct control *c, value *state, const char *name, value own);

#endif
