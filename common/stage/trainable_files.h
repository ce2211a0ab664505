/* The files of a trainable stage: those with initial values, FILE (-p), its checkpoints FILE.N, and
 * going on from one of them. What is kept with the parameters (trainable_note, trainable_int) is
 * here too. */
#ifndef MSA_TRAINABLE_FILES_H
#define MSA_TRAINABLE_FILES_H

#include "common/stage/trainable.h"

/* Training: FILE is this run's and of no other stage in the line. What an earlier training left in
 * its place fails the run, or is to be replaced (t->replaces). */
void trainable_files_claim(struct trainable *t);
/* Opens the files that give the parameters values: --init FILE and, in evaluation, FILE (t->given),
 * which counts most. */
void trainable_files_open(struct trainable *t);
/* The parameters have been made: a training that is resumed goes on from its checkpoint; else files
 * have given them, and a warning names one with values that are not finite. Fails an evaluation
 * that no file has given values. */
void trainable_files_load(struct trainable *t);
/* Removes what an earlier training left. */
void trainable_files_clear(struct trainable *t);
/* Saves FILE.N, of the checkpoint that is on its way back, and adds to that which file it is. */
void trainable_files_checkpoint(struct trainable *t, struct control *c);
/* Fails the run where FILE or the last checkpoint is no longer the file that was written. */
void trainable_files_look(struct trainable *t);
/* The last checkpoint is safe everywhere: FILE if it is the best so far or nobody judges; what is
 * older than N-1 goes. */
void trainable_files_committed(struct trainable *t);

#endif
