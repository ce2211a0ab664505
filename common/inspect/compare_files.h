/* Comparing two files of either kind. */
#ifndef MSA_COMPARE_FILES_H
#define MSA_COMPARE_FILES_H

#include "common/inspect/compare.h"

/* Two streams ("-" is stdin), or two parameter files: their tensors by name, and their metadata, of
 * which `training` and `line` are left out, and `version`, `device` and `threads`, which say how
 * the numbers were computed and not what they mean, are only noted. Fails the run with MSA_USAGE
 * for one of each, for stdin twice, and for a number of records of parameters; with MSA_FAILED
 * where none of the tensors chosen is there. */
void compare_files(struct compare *c, struct msa *m, const char *a, const char *b);

#endif
