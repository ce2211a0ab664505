/* What a training writes of a stage's parameters: FILE (-p), the best so far, and the checkpoints
 * FILE.N with the optimizer's moments; and how it goes on from one of these. checkpoint.c tells
 * when each is done, and why. */
#ifndef MSA_PARAMETER_CHECKPOINTS_H
#define MSA_PARAMETER_CHECKPOINTS_H

#include "common/run/checksum.h"
#include "common/run/mark.h"
#include "common/stream/control.h"
#include "common/stream/training.h"

struct trainable;

struct parameter_checkpoints {
    bool replaces;                /* files of an earlier training are to go */
    uint32_t identity;            /* of the training up to here, settings and initial values */
    char training[TRAINING_TEXT]; /* with those of what follows; from a checkpoint on */
    char *line;                   /* that of the whole line (training_line); NULL: not known */
    char *path;                   /* FILE.N of `last`; NULL: not known */
    long last;                    /* checkpoint that was saved; 0: none */
    bool best;                    /* were its parameters the best so far */
    bool kept;                    /* FILE is this training's, */
    struct checksum file;         /* with these bytes */
    struct mark file_mark,
        last_mark; /* FILE, if it is kept, and the last FILE.N, as they were left */
};

/* FILE is this run's, and of no other stage in the line. What an earlier training left in its place
 * fails the run, or is to be replaced. */
void checkpoints_claim(struct trainable *t);
/* The parameters have been made: the training is identified by them, and the header says so to the
 * stages that follow. Fails the run where it begins again and FILE.1 is another training's. */
void checkpoints_begin(struct trainable *t);
/* The line stands: removes what an earlier training left. */
void checkpoints_replace(struct trainable *t);
/* Saves FILE.N, of the control that is on its way back, and adds to the state which file it is. */
void checkpoints_save(struct trainable *t, struct control *c, value *state);
/* Checkpoint N has been committed: FILE is written if it is the best so far, or if nothing selects;
 * FILE.N-2 goes. */
void checkpoints_committed(struct trainable *t);
/* Goes on from the checkpoint that was committed; what was saved after it goes. Fails the run where
 * files or initial values are not those of the commit. */
void checkpoints_restore(struct trainable *t, const value *state);
/* Fails the run where FILE or the last FILE.N is no longer the file that was written. */
void checkpoints_look(struct trainable *t);

#endif
