/* Data sets with planted sentiment in the layout of real ones (msa-model(7), Data). */
#ifndef MSA_SYNTH_PICKLE_H
#define MSA_SYNTH_PICKLE_H

#include "common/synth/synth.h"
#include <stdio.h>

/* Writes the pickle, in memory for one sample. Fails the run when it cannot be written, with
 * MSA_CLOSED when nobody reads it any more. */
void synth_pickle_write(struct msa *m, const struct synth *s, FILE *to);

#endif
