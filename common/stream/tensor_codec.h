/* Tensors in bodies, as msgpack-numpy has them. */
#ifndef MSA_TENSOR_CODEC_H
#define MSA_TENSOR_CODEC_H

#include "common/stream/tensor.h"
#include "common/stream/value.h"

struct body; /* body.h */

/* As msgpack-numpy writes it, with a pad that puts the payload on a 64-byte boundary of the body.
 * The payload is not copied: it must stay until body_write. */
void body_tensor(struct body *b, const struct tensor *t);

/* A tensor in a body, checked (keys, dtype, rank, payload == shape exactly). Returns NULL, or what
 * is wrong. */
const char *value_tensor(const value *v, const char *name, size_t name_length, struct tensor *t,
                         char text[256]);
/* A tensor as a value, its payload referenced; for headers and states. */
value value_of_tensor(struct msa *m, msgpack_zone *zone, const struct tensor *t);
/* The same of a vector of float32. */
value value_of_floats(struct msa *m, msgpack_zone *zone, const char *name, const float *numbers,
                      size_t count);

#endif
