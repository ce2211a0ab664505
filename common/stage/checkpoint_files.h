/* Files FILE.1, FILE.2 and so on, the checkpoints of a parameter file FILE: what they are called,
 * which there are, and their removal. A file of such a name is a checkpoint only if it says so
 * itself in its metadata: with N as its checkpoint, and this program. Others of such a name are the
 * user's, and stay. */
#ifndef MSA_CHECKPOINT_FILES_H
#define MSA_CHECKPOINT_FILES_H

#include "common/run/output_rules.h"

/* What -p FILE is, and may take the place of: parameters of this program. */
extern const struct written parameters_written;

/* FILE.N; owned by the run. */
char *checkpoint_file_path(struct msa *m, const char *path, long n);
/* Before a training: removes what a killed run left of a checkpoint that it was writing. Fails the
 * run where another run is writing one, where a file may not have as long a name as that of a
 * checkpoint, and with MSA_USAGE where a file that is no checkpoint has the name of one from `from`
 * to `to`. */
void checkpoint_files_prepare(struct msa *m, const char *path, long from, long to);
/* Are there any, other than FILE.BUT (0: than none)? */
bool checkpoint_files_exist(struct msa *m, const char *path, long but);
/* Removes all. */
void checkpoint_files_remove(struct msa *m, const char *path);
/* Removes FILE.N. */
void checkpoint_file_remove(struct msa *m, const char *path, long n);
/* Fails the run where FILE.N, which is to be written, is there and no checkpoint. */
void checkpoint_file_expect(struct msa *m, const char *path, long n);

#endif
