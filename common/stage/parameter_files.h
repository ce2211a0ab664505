/* The files that give the parameters of a stage their values: --init FILE, and in evaluation -p
 * FILE with what it has noted of the training that it came from. trainable_note() and the other
 * functions of trainable.h that are about notes are here too; what a training writes is in
 * parameter_checkpoints.h. */
#ifndef MSA_PARAMETER_FILES_H
#define MSA_PARAMETER_FILES_H

#include "common/stage/trainable.h"

/* Opens these files; in evaluation FILE (t->given) counts most. Warns where it is of another
 * training, checkpoint or family than the parameters of the stages before, or than the samples. */
void parameter_files_open(struct trainable *t);
/* When all parameters have been made: fails the run with MSA_USAGE where there are some and no file
 * for them, or where there are none and a file is given. */
void parameter_files_check(struct trainable *t);
/* Likewise: warns of a file of --init that has none of them, unless it is
 * of a program of this line, of which scripts give all files to all. */
void parameter_files_warn(struct trainable *t);

#endif
