/* Safetensors files (float32 tensors with names and a few strings of metadata): safetensors.c reads
 * them, safetensors_write.c writes them. */
#ifndef MSA_SAFETENSORS_H
#define MSA_SAFETENSORS_H

#include "common/run/checksum.h"
#include "common/run/mapping.h"

struct safetensors_dtype;

struct safetensor {
    const char *name;
    int rank; /* at most 8 */
    size_t shape[8];
    size_t count;
    const void *data; /* into the mapped file, or the caller's; NULL: no reals */
    /* What `data` is, at any address; NULL: floats, where floats may be */
    const struct safetensors_dtype *dtype;
};

struct safetensors {
    const char *path;
    size_t count;
    struct safetensor *tensors; /* sorted by name */
    size_t metadata_count;
    const char *(*metadata)[2]; /* key, value; sorted by key */
    struct mapping map;         /* of a file that was read */
};

/* Is it a regular file that begins as these do (content_of)? */
bool safetensors_resembles(struct msa *m, const char *path);
/* What the header of a file that is open says under a key of its metadata, whatever follows it:
 * msa_free it. NULL: nothing, or the file has no such header. */
char *safetensors_note(struct msa *m, int fd, const char *path, const char *key);
/* Maps and checks a file before it allocates anything of the sizes it claims: header length, JSON,
 * dtypes (F32 alone), bytes of each shape, offsets that cover the data without gap or overlap, no
 * duplicate name. Fails the run with MSA_CORRUPT and a line that names file and tensor. Owned by
 * the run. */
struct safetensors *safetensors_open(struct msa *m, const char *path);
/* The same for a file that others wrote: halves (F16, BF16) and doubles (F64) may be in it, and
 * tensors of other dtypes, which are not found. */
struct safetensors *safetensors_open_foreign(struct msa *m, const char *path);
/* After names have been changed: puts the tensors in order. Fails the run with MSA_CORRUPT when two
 * have one name now. */
void safetensors_sort(struct msa *m, struct safetensors *s);
void safetensors_close(struct msa *m, struct safetensors *s);
const struct safetensor *safetensors_find(const struct safetensors *s,
                                          const char *name); /* NULL: not there */
/* Is a tensor of that name in it, of whatever dtype? */
bool safetensors_names(const struct safetensors *s, const char *name);
/* A tensor's numbers, where they are or converted: then *copy is not NULL, and to be freed
 * (msa_free). Pages of a file are first read here: a tensor that nobody asks for costs no memory.
 */
const float *safetensor_floats(struct msa *m, const struct safetensor *t, float **copy);
/* Numbers at a time by which large tensors are read and written: no copy is made of them whole. */
enum { SAFETENSOR_PIECE = 1 << 18 };
/* How many of a tensor's `all` are such a piece from `at` on. */
static inline size_t safetensor_piece_size(size_t all, size_t at)
{
    return all - at < SAFETENSOR_PIECE ? all - at : SAFETENSOR_PIECE;
}
/* to[count] = the numbers of a tensor of that file from `at` on. The pages that they are on take no
 * memory afterwards. */
void safetensor_read(const struct safetensors *s, const struct safetensor *t, size_t at,
                     size_t count, float *to);
const char *safetensors_metadata(const struct safetensors *s,
                                 const char *key); /* NULL: not there */

/* Writes PATH whole or not at all (file_create, file_commit): tensors sorted by name, metadata by
 * key, so that equal contents are equal bytes. Data starts on a 64-byte boundary of the file.
 * Returns the checksum of what was written. */
struct checksum safetensors_write(struct msa *m, const char *path, const struct safetensor *tensors,
                                  size_t count, const char *const (*metadata)[2],
                                  size_t metadata_count);
/* The same of tensors whose data are not numbers, but what `piece` knows them by: it is asked for
 * `count` numbers of t from `at` on, SAFETENSOR_PIECE at most, which are good until the next call.
 */
typedef const float *safetensor_piece(void *self, const struct safetensor *t, size_t at,
                                      size_t count);
struct checksum safetensors_write_pieces(struct msa *m, const char *path,
                                         const struct safetensor *tensors, size_t count,
                                         const char *const (*metadata)[2], size_t metadata_count,
                                         safetensor_piece *piece, void *self);

#endif
