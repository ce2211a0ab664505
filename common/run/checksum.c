/* Checksums of bytes and of files. */
#include "common/run/checksum.h"
#include "common/run/file.h"

#include <fcntl.h>
#include <libdeflate.h> /* its CRC is several times as fast as zlib's */

enum { PIECE = 1 << 16 };

void checksum_add(struct checksum *c, const void *bytes, size_t size)
{
    if (!size)
        return;
    c->bytes += size;
    c->crc32 = libdeflate_crc32(c->crc32, bytes, size);
}

bool checksum_same(struct checksum a, struct checksum b)
{
    return a.bytes == b.bytes && a.crc32 == b.crc32;
}

void checksum_read(struct msa *m, struct checksum *c, int fd, const char *path, int64_t offset,
                   uint64_t size)
{
    uint8_t *piece = msa_alloc(m, PIECE);
    for (size_t got = PIECE; size && got == PIECE; size -= got, offset += PIECE) {
        got = file_read_at(m, fd, path, piece, size < PIECE ? size : PIECE, offset);
        checksum_add(c, piece, got);
    }
    msa_free(m, piece);
}

struct checksum checksum_of_file(struct msa *m, const char *path, uint64_t size)
{
    struct checksum c = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is no file */
    if (fd < 0)
        msa_fail_errno(m, "cannot read '%s'", path);
    int *held = file_hold(m, fd);
    checksum_read(m, &c, fd, path, 0, size);
    msa_free(m, held);
    return c;
}
