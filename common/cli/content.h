/* What a file is, by its first bytes: whether an output may take its place. */
#ifndef MSA_CONTENT_H
#define MSA_CONTENT_H

#include "common/cli/msa.h"

enum content {
    CONTENT_NONE,   /* an empty file */
    CONTENT_OTHER,  /* nothing that is known here, such as text */
    CONTENT_STREAM, /* gzipped or not */
    CONTENT_PICKLE,
    CONTENT_SAFETENSORS,
    CONTENT_ARRAY,
    CONTENT_GZIP,
    CONTENT_ZIP, /* PyTorch's files, .npz and .xlsx too */
    CONTENT_TAR,
    CONTENT_XZ,
    CONTENT_ZSTD,
    CONTENT_BZIP2,
    CONTENT_LZ4,
    CONTENT_7Z,
    CONTENT_HDF5,
    CONTENTS
};

/* Of the regular file that is open as fd. Fails the run where it cannot be read. */
enum content content_of(struct msa *m, int fd, const char *path);
/* "a pickle" */
const char *content_text(enum content content);
/* The first bytes of the file, at most `size`, inflated where it is gzipped; returns how many there
 * are. Fails the run where it cannot be read. */
size_t content_start(struct msa *m, int fd, const char *path, uint8_t *to, size_t size);

#endif
