/* Ends that nothing in a program asks for: a library aborts or ends the process, something crashes,
 * or there is no processor time left. They have their line too, and the stages on both sides are
 * told as of any failure. */
#ifndef MSA_ABRUPT_H
#define MSA_ABRUPT_H

#include "common/run/run.h"

/* For the main function of a process, around its run: from now on, and until it is given NULL, such
 * an end is one of this run, which at_fail is told of. After an abort or exit() the status is
 * MSA_DEVICE; a crash and the limit of time go on to end the process by their signal. */
void abrupt_watch(struct msa *m);

/* For a handler of SIGBUS that has nothing to do about it: it is a crash. */
void abrupt_crash(int number);

#endif
