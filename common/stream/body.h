/* A body as it is packed. */
#ifndef MSA_BODY_H
#define MSA_BODY_H

#include "common/stream/value.h"
#include <msgpack/pack.h>
#include <msgpack/vrefbuffer.h>

/* A body being packed. Strings and numbers are copied; tensor payloads and long bins are referenced
 * until the frame is written. */
struct body {
    msgpack_vrefbuffer buffer;
    msgpack_packer packer;
    size_t length; /* packed so far */
    struct msa *m;
};

void body_map(struct body *b, size_t pairs);
void body_array(struct body *b, size_t items);
void body_str(struct body *b, const char *text);
void body_int(struct body *b, int64_t i);
void body_real(struct body *b, double d);
void body_bool(struct body *b, bool v);
/* Bytes that are packed already (a whole body, or those of a bin whose head has been packed), not
 * copied: they must stay until body_write. */
void body_reference(struct body *b, const void *bytes, size_t size);
/* Tensors in it are aligned anew. Bins are referenced: they must stay until body_write. */
void body_value(struct body *b, const value *v);

/* The pairs of a map whose keys are not among `known` (NULL-terminated): how many, and packed. */
size_t value_others(const value *map, const char *const *known);
void body_others(struct body *b, const value *map, const char *const *known);

#endif
