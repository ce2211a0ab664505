/* Tensors as files of NumPy's own format, .npy. */
#ifndef MSA_NPY_H
#define MSA_NPY_H

#include "common/run/file.h"
#include "common/stream/tensor.h"

/* Makes the folder when it is not there. Fails the run: "cannot write 'PATH': REASON". */
void npy_folder(struct msa *m, const char *path);
/* Writes a tensor of frame `number`, whole or not at all (but file_commit_unsynced), as
 * FOLDER/NUMBER-KIND-NAME.npy: NUMBER of 8 digits, KIND the frame's, and in NAME %2F for '/' and
 * %25 for '%'. What was there is replaced. */
void npy_write(struct msa *m, const char *folder, uint64_t number, char kind,
               const struct tensor *t);

#endif
