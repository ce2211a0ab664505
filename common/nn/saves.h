/* The checkpoints of a parameter file FILE: FILE.1, FILE.2 and so on. */
#ifndef MSA_SAVES_H
#define MSA_SAVES_H

#include "common/cli/msa.h"

/* FILE.N; owned by the run. */
const char *saves_path(struct msa *m, const char *path, long n);
/* Are there others than FILE.BUT (0: any), be they whole or what a killed run left of them? */
bool saves_others(struct msa *m, const char *path, long but);
/* Removes all. */
void saves_remove(struct msa *m, const char *path);
/* Removes FILE.N, and what is left of it if it was being written. */
void saves_remove_one(struct msa *m, const char *path, long n);

#endif
