/* Playing a recording to a stage, in the place of the program before it and of all behind it
 * (man/msa-stream.5, "Recordings"). */
#ifndef MSA_REPLAY_H
#define MSA_REPLAY_H

#include "common/stage/stage.h"
#include "common/stream/recording.h"

/* Before: plays the recording that is the program's input, as the source of a line. Each frame that
 * went forward goes forward; in training it waits, where a frame came back, for the one that comes
 * back now. Of the ops, `header`, `see` and `end` are called. */
void replay_run(struct msa *m, const struct stage_ops *ops, void *self);

/* Behind: ends the training line that is the program's input, and answers each frame with what came
 * back in the recording `answers` for the same epoch and step. Of the ops, `header`, `see` (of what
 * is answered, too) and `end` are called. Fails the run where the recording has another answer
 * (MSA_CORRUPT), no more, or at the line's end more (MSA_FAILED). */
void answer_run(struct msa *m, struct reader *answers, const struct stage_ops *ops, void *self);

#endif
