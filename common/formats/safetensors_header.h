/* The JSON header of a safetensors file. */
#ifndef MSA_SAFETENSORS_HEADER_H
#define MSA_SAFETENSORS_HEADER_H

#include "common/formats/safetensors.h"

enum { SAFETENSORS_PREFIX = 8 }; /* bytes of the header's length, in front of it */
/* What a header may be, before memory is taken for it: as JSON values, text may take 80 times its
 * size. Real ones have some 25 kB for 200 tensors, of at most 14 values each. */
enum { HEADER_MAX = 1 << 20, VALUES_MAX = 1 << 17, DEPTH_MAX = 3 };

/* The dtypes of the format: bytes of a number, and whether it is a real one. */
struct safetensors_dtype {
    const char *name;
    size_t size;
    bool real;
};
enum { F32, F16, BF16, F64, SAFETENSORS_DTYPES = 15 };
extern const struct safetensors_dtype safetensors_dtypes[SAFETENSORS_DTYPES];

/* A file being read. Errors are kept until the JSON has been released; the first one counts. */
struct reading {
    struct msa *m;
    struct safetensors *s;
    bool foreign;  /* dtypes other than F32 are allowed */
    size_t header; /* bytes */
    size_t data;   /* bytes */
    char wrong[512];
    struct span {
        size_t begin, end;
        struct safetensor *tensor;
        const struct safetensors_dtype *dtype;
    } * spans; /* of the tensors, in the data */
};

/* Reads and checks the header of r->s, which is mapped: its tensors, whose data are where the spans
 * say, and its metadata. What is wrong is left in r->wrong. */
void safetensors_read_header(struct reading *r);

#endif
