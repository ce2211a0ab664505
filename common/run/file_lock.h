/* One writer a file. What is replaced by rename is kept by a lock on .NAME.lock beside it, which
 * goes when the writer has ended; what is written in place, by a lock on the file itself. Both are
 * locks of the open file (fcntl(2), F_OFD_SETLK): they end with the process, however that ends, and
 * hold between containers that share a folder. Who takes one of the two also looks whether another
 * program has the other. */
#ifndef MSA_FILE_LOCK_H
#define MSA_FILE_LOCK_H

#include "common/run/target.h"

struct claim;

/* Keeps the file at a target, which need not be there, for this run. Waits up to 5 seconds for
 * another run that has it, then fails: "cannot write 'PATH': another program is writing it". What a
 * run that was killed has left of it (claim_temporary) is removed. NULL: the run keeps it already,
 * or it is written as it is. */
struct claim *claim_take(struct msa *m, const struct target *t);
/* Before the run ends, which is when the others go; NULL is fine. */
void claim_drop(struct msa *m, struct claim *c);
/* If a run that was killed has left a lock of it, removes that and its temporary files; one that
 * another run has it waits for as claim_take does. */
void claim_clear(struct msa *m, const struct target *t);
/* A name beside the file that is not in use, for the file that will replace it; the run's. Fails
 * the run where a name may not be as long. */
char *claim_temporary(struct msa *m, const struct target *t);

/* Opens the file to be written in place, with these flags of open(2). Where it is a regular one it
 * is this run's alone until the descriptor is closed, which is the caller's; it waits, fails and
 * clears as claim_take does. -1, errno: it cannot be opened. */
int claim_open(struct msa *m, const struct target *t, int flags);

#endif
