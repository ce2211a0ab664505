/* Kinds of files. */
#include "common/cli/content.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { START = 512, /* bytes that are looked at: a block of tar */ PACKED = 1 << 14 };
enum {
    SAFETENSORS_LENGTH = 8,
    SAFETENSORS_MOST = 100000000 /* bytes of a header, by the format */
};
enum { TAR_SUM = 148, TAR_SUM_LENGTH = 8 };

static const char *const names[CONTENTS] = {
    [CONTENT_NONE] = "an empty file",
    [CONTENT_OTHER] = "a file of another kind",
    [CONTENT_STREAM] = "a stream",
    [CONTENT_PICKLE] = "a pickle",
    [CONTENT_SAFETENSORS] = "a safetensors file",
    [CONTENT_ARRAY] = "a NumPy array",
    [CONTENT_GZIP] = "a gzip archive",
    [CONTENT_ZIP] = "a zip archive",
    [CONTENT_TAR] = "a tar archive",
    [CONTENT_XZ] = "an xz archive",
    [CONTENT_ZSTD] = "a zstd archive",
    [CONTENT_BZIP2] = "a bzip2 archive",
    [CONTENT_LZ4] = "an lz4 archive",
    [CONTENT_7Z] = "a 7z archive",
    [CONTENT_HDF5] = "an HDF5 file",
};

/* Literals end with a zero byte of their own, which does not count. */
#define BEGINS(text) sizeof text - 1, text
static const struct {
    enum content content;
    size_t length;
    const char *bytes;
} magics[] = {
    {CONTENT_STREAM, BEGINS("\xd8M")},
    {CONTENT_PICKLE, BEGINS("\x80\x02")},
    {CONTENT_PICKLE, BEGINS("\x80\x03")},
    {CONTENT_PICKLE, BEGINS("\x80\x04")},
    {CONTENT_PICKLE, BEGINS("\x80\x05")},
    {CONTENT_ARRAY, BEGINS("\x93NUMPY")},
    {CONTENT_GZIP, BEGINS("\x1f\x8b")},
    {CONTENT_ZIP, BEGINS("PK\x03\x04")},
    {CONTENT_ZIP, BEGINS("PK\x05\x06")},
    {CONTENT_ZIP, BEGINS("PK\x07\x08")},
    {CONTENT_XZ, BEGINS("\xfd"
                        "7zXZ")},
    {CONTENT_ZSTD, BEGINS("\x28\xb5\x2f\xfd")},
    {CONTENT_BZIP2, BEGINS("BZh")},
    {CONTENT_LZ4, BEGINS("\x04\x22\x4d\x18")},
    {CONTENT_7Z, BEGINS("7z\xbc\xaf\x27\x1c")},
    {CONTENT_HDF5, BEGINS("\x89HDF\r\n\x1a\n")},
};

/* ---- Reading ---- */

static size_t read_at(struct msa *m, int fd, const char *path, uint8_t *to, size_t size, off_t at)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(fd, to + filled, size - filled, at + (off_t)filled);
        if (got < 0 && errno != EINTR)
            msa_fail_errno(m, "cannot read '%s'", path);
        if (got == 0)
            break;
        filled += got > 0 ? (size_t)got : 0;
    }
    return filled;
}

static void inflate_release(void *z)
{
    inflateEnd(z);
}

/* What is wrong with compressed bytes ends them here. */
static size_t inflate_start(struct msa *m, int fd, const char *path, uint8_t *to, size_t size)
{
    uint8_t *packed = msa_alloc(m, PACKED);
    z_stream *z = msa_alloc(m, sizeof *z);
    if (inflateInit2(z, 15 + 16) != Z_OK)
        msa_fail(m, MSA_FAILED, "out of memory");
    msa_at_free(z, inflate_release);
    z->next_out = to;
    z->avail_out = (uInt)size;
    int status = Z_OK;
    for (off_t at = 0; status == Z_OK && z->avail_out; at += PACKED) {
        z->next_in = packed;
        z->avail_in = (uInt)read_at(m, fd, path, packed, PACKED, at);
        if (!z->avail_in)
            break;
        status = inflate(z, Z_NO_FLUSH);
    }
    size_t filled = size - z->avail_out;
    msa_free(m, z);
    msa_free(m, packed);
    return filled;
}

size_t content_start(struct msa *m, int fd, const char *path, uint8_t *to, size_t size)
{
    uint8_t two[2];
    bool gzipped = read_at(m, fd, path, two, 2, 0) == 2 && two[0] == 0x1f && two[1] == 0x8b;
    return gzipped ? inflate_start(m, fd, path, to, size) : read_at(m, fd, path, to, size, 0);
}

/* ---- Judging ---- */

/* A length that a header may have, and a '{'. */
static bool is_safetensors(const uint8_t *start, size_t size)
{
    uint64_t length = 0;
    if (size <= SAFETENSORS_LENGTH)
        return false;
    for (int i = SAFETENSORS_LENGTH; i-- > 0;)
        length = length << 8 | start[i];
    return length <= SAFETENSORS_MOST && start[SAFETENSORS_LENGTH] == '{';
}

/* The header's bytes, its sum taken as spaces, add up to that sum. */
static bool is_tar(const uint8_t *start, size_t size)
{
    long sum = 0, noted = 0;
    if (size < START || !start[0])
        return false;
    for (size_t i = 0; i < START; i++)
        sum += i - TAR_SUM < TAR_SUM_LENGTH ? ' ' : start[i];
    for (int i = 0; i < TAR_SUM_LENGTH; i++) {
        uint8_t c = start[TAR_SUM + i];
        if (c >= '0' && c <= '7')
            noted = noted * 8 + c - '0';
        else if (c != ' ' && c)
            return false;
    }
    return sum == noted;
}

/* Protocols 0 and 1 have no mark of their own: how they begin, and the '.' that ends them. */
static bool is_old_pickle(const uint8_t *start, size_t size, uint8_t last)
{
    static const char *const begins[] = {"(d", "(l", "(t", "(i", "}q", "}(", "]q", "](", ")"};
    if (size < 2 || last != '.')
        return false;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (memcmp(start, begins[i], strlen(begins[i])) == 0)
            return true;
    const uint8_t *line = memchr(start, '\n', size); /* "cMODULE\nNAME\n" */
    bool global =
        start[0] == 'c' && line && memchr(line + 1, '\n', size - (size_t)(line + 1 - start));
    for (size_t i = 1; global && start + i < line; i++)
        global = start[i] == '.' || start[i] == '_' || isalpha(start[i]);
    return global;
}

static bool is_gzipped_stream(struct msa *m, int fd, const char *path)
{
    uint8_t start[2];
    return content_start(m, fd, path, start, 2) == 2 && memcmp(start, magics[0].bytes, 2) == 0;
}

enum content content_of(struct msa *m, int fd, const char *path)
{
    uint8_t start[START], last = 0;
    struct stat status;
    size_t size = read_at(m, fd, path, start, START, 0);
    if (!size)
        return CONTENT_NONE;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (size >= magics[i].length && memcmp(start, magics[i].bytes, magics[i].length) == 0)
            return magics[i].content == CONTENT_GZIP && is_gzipped_stream(m, fd, path)
                       ? CONTENT_STREAM
                       : magics[i].content;
    if (is_safetensors(start, size))
        return CONTENT_SAFETENSORS;
    if (is_tar(start, size))
        return CONTENT_TAR;
    if (fstat(fd, &status) == 0)
        read_at(m, fd, path, &last, 1, status.st_size - 1);
    return is_old_pickle(start, size, last) ? CONTENT_PICKLE : CONTENT_OTHER;
}

/* ---- Saying ---- */

const char *content_text(enum content content)
{
    return names[content];
}
