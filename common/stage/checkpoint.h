/* What a stage gives to each checkpoint of a training, and takes from it when the training is
 * resumed: settings, a state of its own, the length of its log. This is the same for all stages; a
 * stage names its settings and its log, and has save() and restore() if it keeps more (struct
 * stage_ops). Called by the loop of stages alone.
 *
 * checkpoint.c begins with how a training survives being killed: read that first. */
#ifndef MSA_CHECKPOINT_H
#define MSA_CHECKPOINT_H

#include "common/stage/stage.h"

/* Once the stage has seen the header, before it is written: where the training goes on from a
 * checkpoint, compares the settings and restores the state; opens the log (s->log). Fails the run
 * as resume_state and log_open do; with MSA_USAGE where a training with a log in a file is resumed
 * without one, or the other way round; with MSA_CORRUPT where the part of the log that was
 * committed has changed. */
void checkpoint_resume(struct stage *s);
/* Saves, and adds the stage's state to a control: on its way back, when everything downstream is
 * safe; a stage that does not join the way back does it on the way down. */
void checkpoint_save(struct stage *s, struct control *c);

#endif
