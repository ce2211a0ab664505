/* The checkpoints of a parameter file FILE: FILE.1, FILE.2 and so on. A file of such a name is one
 * only if it says so itself: with N as its checkpoint, and this program. Others of
 * such a name are the user's, and stay. */
#ifndef MSA_CHECKPOINT_FILES_H
#define MSA_CHECKPOINT_FILES_H

#include "common/run/output_rules.h"

/* What -p FILE is, and may take the place of: parameters of this program. */
extern const struct written saves_written;

/* FILE.N; owned by the run. */
const char *saves_path(struct msa *m, const char *path, long n);
/* Before a training: removes what a killed run left of one that it was writing. Fails the run where
 * another is writing one, and with MSA_USAGE where a file that is not one has the name of one from
 * `from` to `to`; also where a name may not be as long as that of a checkpoint. */
void saves_begin(struct msa *m, const char *path, long from, long to);
/* Are there others than FILE.BUT (0: any)? */
bool saves_others(struct msa *m, const char *path, long but);
/* Removes all. */
void saves_remove(struct msa *m, const char *path);
/* Removes FILE.N. */
void saves_remove_one(struct msa *m, const char *path, long n);
/* Fails the run where FILE.N, which is to be written, is another file. */
void saves_expect(struct msa *m, const char *path, long n);

#endif
