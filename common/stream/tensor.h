/* A tensor as it travels: named, typed, host memory (in a frame's body, or the writer's until the
 * frame is written). */
#ifndef MSA_TENSOR_H
#define MSA_TENSOR_H

#include "common/run/run.h"

enum { TENSOR_RANK = 8, TENSOR_NAME = 64, RECORD_TENSORS = 128 };

/* The closed list of dtypes; tensors are little-endian. */
enum dtype { F4, F8, F2, I8, I4, I2, I1, U8, U4, U2, U1, B1, DTYPES };
extern const char *const
    dtype_names[DTYPES]; /* NumPy's: "<f4" "<f8" "<f2" "<i8" "<i4" "<i2" "|i1" "<u8" … "|b1" */
size_t dtype_size(enum dtype dtype);
int dtype_find(const char *name, size_t length); /* -1: not in the list */

struct tensor {
    char name[TENSOR_NAME + 1];
    enum dtype dtype;
    int rank;
    size_t shape[TENSOR_RANK];
    size_t count;     /* elements */
    const void *data; /* count * dtype_size bytes; aligned to 64 when this project wrote it, else
                         maybe not at all */
};

/* A tensor over memory of the caller. */
struct tensor tensor_of(const char *name, enum dtype dtype, const void *data, int rank,
                        const size_t *shape);
bool tensor_same_shape(int rank, const size_t *shape, int other_rank, const size_t *other);
/* "[32,50,5]" into text; returns it. */
const char *tensor_shape_text(char text[128], int rank, const size_t *shape);
/* Where element i is: "[2,17]" into text; returns it. */
const char *tensor_place_text(char text[128], const struct tensor *t, size_t i);
/* Element i with all its digits into text; returns it. */
enum { TENSOR_NUMBER = 32 };
const char *tensor_number_text(char text[TENSOR_NUMBER], const struct tensor *t, size_t i);
/* Element i, of an integer dtype or B1, as int64; false: it is above INT64_MAX. */
bool tensor_whole(const struct tensor *t, size_t i, int64_t *whole);
/* Element i as double (F2 too). */
double tensor_value(const struct tensor *t, size_t i);

#endif
