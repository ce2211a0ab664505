/* Checksums of bytes and of files. */
#include "common/cli/checksum.h"
#include "common/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h> /* its CRC is several times as fast as zlib's */
#include <unistd.h>

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
    while (size) {
        ssize_t got = pread(fd, piece, size < PIECE ? size : PIECE, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            msa_fail_errno(m, "cannot read '%s'", path);
        if (got == 0)
            break;
        checksum_add(c, piece, (size_t)got);
        offset += got;
        size -= (uint64_t)got;
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
