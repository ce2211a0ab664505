/* Length and CRC-32 of bytes: enough to detect a file that was damaged or replaced. */
#ifndef MSA_CHECKSUM_H
#define MSA_CHECKSUM_H

#include "common/run/run.h"

struct checksum {
    uint64_t bytes;
    uint32_t crc32; /* zlib's; 0 of no bytes */
};

/* Goes on with these bytes. */
void checksum_add(struct checksum *c, const void *bytes, size_t size);
bool checksum_same(struct checksum a, struct checksum b);
/* Of `size` bytes of an open file from `offset` on, or of fewer where it ends before. Fails the
 * run: "cannot read 'PATH': REASON". */
void checksum_read(struct msa *m, struct checksum *c, int fd, const char *path, int64_t offset,
                   uint64_t size);
/* Of the file's first `size` bytes, or of fewer where it ends before; UINT64_MAX: of all. Fails the
 * run as checksum_read. */
struct checksum checksum_of_file(struct msa *m, const char *path, uint64_t size);

#endif
