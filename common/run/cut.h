/* Mapped files that others make shorter. */
#ifndef MSA_CUT_H
#define MSA_CUT_H

#include "common/run/run.h"

/* From now on this run fails where it reads what is no longer there of a file that is mapped:
 * "cannot read 'PATH': it was cut while it was being read". For the main thread of a process. */
void cut_watch(struct msa *m);

#endif
