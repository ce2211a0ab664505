/* Kinds of files. */
#include "common/run/content.h"
#include "common/run/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { START = 512, /* bytes that are looked at: a block of tar */ PACKED = 1 << 14 };
enum {
    SAFETENSORS_LENGTH = 8,
    SAFETENSORS_MOST = 100000000 /* bytes of a header, by the format */
};
enum { TAR_SUM = 148, TAR_SUM_LENGTH = 8 };

/* Literals end with a zero byte of their own, which does not count. */
#define BEGINS(text) sizeof text - 1, text
static const struct magic {
    struct content_kind kind;
    size_t length;
    const char *bytes;
} magics[] = {
    {{CONTENT_STREAM, "a stream"}, BEGINS("\xd8M")},
    {{CONTENT_PICKLE, "a pickle"}, BEGINS("\x80\x02")},
    {{CONTENT_PICKLE, "a pickle"}, BEGINS("\x80\x03")},
    {{CONTENT_PICKLE, "a pickle"}, BEGINS("\x80\x04")},
    {{CONTENT_PICKLE, "a pickle"}, BEGINS("\x80\x05")},
    {{CONTENT_ARRAY, "a NumPy array"}, BEGINS("\x93NUMPY")},
    {{CONTENT_FOREIGN, "a gzip archive"}, BEGINS("\x1f\x8b")},
    {{CONTENT_FOREIGN, "a zip archive"}, BEGINS("PK\x03\x04")}, /* PyTorch's, .npz and .xlsx too */
    {{CONTENT_FOREIGN, "a zip archive"}, BEGINS("PK\x05\x06")},
    {{CONTENT_FOREIGN, "a zip archive"}, BEGINS("PK\x07\x08")},
    {{CONTENT_FOREIGN, "an xz archive"},
     BEGINS("\xfd"
            "7zXZ")},
    {{CONTENT_FOREIGN, "an lzma archive"}, BEGINS("\x5d\0\0")},
    {{CONTENT_FOREIGN, "an lzip archive"}, BEGINS("LZIP\1")},
    {{CONTENT_FOREIGN, "an lzop archive"}, BEGINS("\x89LZO\0")},
    {{CONTENT_FOREIGN, "a zstd archive"}, BEGINS("\x28\xb5\x2f\xfd")},
    {{CONTENT_FOREIGN, "a bzip2 archive"}, BEGINS("BZh")},
    {{CONTENT_FOREIGN, "an lz4 archive"}, BEGINS("\x04\x22\x4d\x18")},
    {{CONTENT_FOREIGN, "an lz4 archive"}, BEGINS("\x02\x21\x4c\x18")},
    {{CONTENT_FOREIGN, "a 7z archive"}, BEGINS("7z\xbc\xaf\x27\x1c")},
    {{CONTENT_FOREIGN, "a RAR archive"}, BEGINS("Rar!\x1a\7")},
    {{CONTENT_FOREIGN, "a compress archive"}, BEGINS("\x1f\x9d")}, /* .Z */
    {{CONTENT_FOREIGN, "a pack archive"}, BEGINS("\x1f\x1e")},
    {{CONTENT_FOREIGN, "a cpio archive"}, BEGINS("07070")},
    {{CONTENT_FOREIGN, "a cpio archive"}, BEGINS("\xc7\x71")},
    {{CONTENT_FOREIGN, "a cpio archive"}, BEGINS("\x71\xc7")},
    {{CONTENT_FOREIGN, "an ar archive"}, BEGINS("!<arch>\n")},
    {{CONTENT_FOREIGN, "an ar archive"}, BEGINS("!<thin>\n")},
    {{CONTENT_FOREIGN, "a cabinet"}, BEGINS("MSCF\0\0\0\0")},
    {{CONTENT_FOREIGN, "a zlib stream"}, BEGINS("\x78\x01")}, /* joblib's files */
    {{CONTENT_FOREIGN, "a zlib stream"}, BEGINS("\x78\x5e")},
    {{CONTENT_FOREIGN, "a zlib stream"}, BEGINS("\x78\x9c")},
    {{CONTENT_FOREIGN, "a zlib stream"}, BEGINS("\x78\xda")},
    {{CONTENT_FOREIGN, "a zlib stream"}, BEGINS("ZF0x")},
    {{CONTENT_FOREIGN, "an HDF5 file"}, BEGINS("\x89HDF\r\n\x1a\n")},
    {{CONTENT_FOREIGN, "a MAT file"}, BEGINS("MATLAB 5.0 MAT-file")},
    {{CONTENT_FOREIGN, "a Parquet file"}, BEGINS("PAR1")},
    {{CONTENT_FOREIGN, "an Arrow file"}, BEGINS("ARROW1\0\0")},
    {{CONTENT_FOREIGN, "an SQLite database"}, BEGINS("SQLite format 3\0")},
};
enum { MAGICS = sizeof magics / sizeof *magics };

/* ---- Reading ---- */

static void inflate_release(void *z)
{
    inflateEnd(z);
}

enum { OF_ZLIB = 15, OF_GZIP = 15 + 16 }; /* what inflateInit2 is to expect */

/* What is wrong with compressed bytes ends them here; *sound: nothing was. */
static size_t inflate_start(struct msa *m, int fd, const char *path, int form, uint8_t *to,
                            size_t size, bool *sound)
{
    uint8_t *packed = msa_alloc(m, PACKED);
    z_stream *z = msa_alloc(m, sizeof *z);
    if (inflateInit2(z, form) != Z_OK)
        msa_fail(m, MSA_FAILED, "out of memory");
    msa_at_free(z, inflate_release);
    z->next_out = to;
    z->avail_out = (uInt)size;
    int status = Z_OK;
    for (off_t at = 0; status == Z_OK && z->avail_out; at += PACKED) {
        z->next_in = packed;
        z->avail_in = (uInt)file_read_at(m, fd, path, packed, PACKED, at);
        if (!z->avail_in)
            break;
        status = inflate(z, Z_NO_FLUSH);
    }
    size_t filled = size - z->avail_out;
    *sound = status == Z_STREAM_END || !z->avail_out;
    msa_free(m, z);
    msa_free(m, packed);
    return filled;
}

size_t content_start(struct msa *m, int fd, const char *path, uint8_t *to, size_t size)
{
    uint8_t two[2];
    bool sound;
    bool gzipped = file_read_at(m, fd, path, two, 2, 0) == 2 && two[0] == 0x1f && two[1] == 0x8b;
    return gzipped ? inflate_start(m, fd, path, OF_GZIP, to, size, &sound)
                   : file_read_at(m, fd, path, to, size, 0);
}

/* ---- Judging ---- */

uint64_t content_safetensors_length(const uint8_t prefix[SAFETENSORS_LENGTH])
{
    uint64_t length = 0;
    for (int i = SAFETENSORS_LENGTH; i-- > 0;)
        length = length << 8 | prefix[i];
    return length;
}

/* A length that a header may have, and a '{'. To be asked first: the length may begin as another
 * kind does, 640 as a pickle, 19928 as a stream. */
static bool is_safetensors(const uint8_t *start, size_t size)
{
    return size > SAFETENSORS_LENGTH && content_safetensors_length(start) <= SAFETENSORS_MOST &&
           start[SAFETENSORS_LENGTH] == '{';
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

/* A text may begin like one. */
static bool is_zlib(struct msa *m, int fd, const char *path)
{
    uint8_t bytes[START];
    bool sound;
    inflate_start(m, fd, path, OF_ZLIB, bytes, sizeof bytes, &sound);
    return sound;
}

/* NULL: it has none of these marks. */
static const struct magic *find_magic(const uint8_t *start, size_t size)
{
    for (size_t i = 0; i < MAGICS; i++)
        if (size >= magics[i].length && memcmp(start, magics[i].bytes, magics[i].length) == 0)
            return &magics[i];
    return NULL;
}

/* Text may begin with zlib's mark too: only its bytes tell. */
static bool may_be_text(const struct magic *magic)
{
    return magic->bytes[0] == 'x';
}

const char *content_magic(const uint8_t *start, size_t size)
{
    const struct magic *magic = find_magic(start, size);
    if (magic && !may_be_text(magic))
        return magic->kind.text;
    return is_safetensors(start, size) ? "a safetensors file" : NULL;
}

static struct content_kind judge_magic(struct msa *m, int fd, const char *path,
                                       const uint8_t *start, size_t size)
{
    static const struct content_kind other = {CONTENT_OTHER, "a file of another kind"};
    const struct magic *magic = find_magic(start, size);
    uint8_t two[2];
    if (!magic || (may_be_text(magic) && !is_zlib(m, fd, path)))
        return other;
    bool stream = magic->bytes[0] == 0x1f && content_start(m, fd, path, two, 2) == 2 &&
                  memcmp(two, magics[0].bytes, 2) == 0;
    return stream ? magics[0].kind : magic->kind;
}

struct content_kind content_of(struct msa *m, int fd, const char *path)
{
    uint8_t start[START], last = 0;
    struct stat status;
    size_t size = file_read_at(m, fd, path, start, START, 0);
    if (!size)
        return (struct content_kind){CONTENT_NONE, "an empty file"};
    if (is_safetensors(start, size)) /* whose length may be another's first bytes */
        return (struct content_kind){CONTENT_SAFETENSORS, "a safetensors file"};
    struct content_kind kind = judge_magic(m, fd, path, start, size);
    if (kind.content != CONTENT_OTHER)
        return kind;
    if (is_tar(start, size))
        return (struct content_kind){CONTENT_FOREIGN, "a tar archive"};
    uint64_t length = fstat(fd, &status) == 0 ? (uint64_t)status.st_size : size;
    file_read_at(m, fd, path, &last, 1, (off_t)length - 1);
    if (content_is_old_pickle(start, size, length, last))
        return (struct content_kind){CONTENT_PICKLE, "a pickle"};
    return kind;
}

/* ---- Files that are read ---- */

/* -1: it is no regular file, of which a FIFO's writer would notice that it is opened, or cannot be
 * opened. */
static int open_regular(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Says what is surely there, and which content that is; NULL: nothing is known of it. */
static const char *known_at(struct msa *m, const char *path, enum content *content)
{
    uint8_t start[START];
    int *fd = file_hold(m, open_regular(path));
    size_t size = *fd < 0 ? 0 : file_read_at(m, *fd, path, start, START, 0);
    struct content_kind kind = size ? content_of(m, *fd, path) : (struct content_kind){0};
    const char *page = content_page(start, size);
    msa_free(m, fd);
    bool folder = file_is_folder(path);
    *content = folder || page ? CONTENT_FOREIGN : CONTENT_OTHER;
    if (folder)
        return "a folder";
    if (page)
        return page;
    if (content_is_text(start, size))
        return "text";
    if (kind.content <= CONTENT_OTHER)
        return content_guess(start, size);
    *content = kind.content;
    return kind.text;
}

struct content_kind content_at(struct msa *m, const char *path)
{
    struct content_kind kind = {CONTENT_NONE, "no file"};
    int *fd = file_hold(m, open_regular(path));
    if (*fd >= 0)
        kind = content_of(m, *fd, path);
    msa_free(m, fd);
    return kind;
}

void content_expect(struct msa *m, const char *path, enum content expected, const char *what)
{
    enum content content;
    const char *found = known_at(m, path, &content);
    if (found && content != expected)
        msa_fail(m, MSA_CORRUPT, "%s: %s but expected %s", path, found, what);
}
