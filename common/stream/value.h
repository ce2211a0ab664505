/* MessagePack values as they are read (msgpack_object), and how to look into, change and pack them.
 *
 * Changed maps are new objects in a zone; what is not touched is shared, so unknown keys pass
 * through. Keys are looked for as str. frame_fields.c has the known keys of frames, body.c packs,
 * tensor_codec.c reads and writes tensors. */
#ifndef MSA_VALUE_H
#define MSA_VALUE_H

#include "common/stream/frame.h"
#include "common/stream/tensor.h"

typedef msgpack_object value;

/* Looking: NULL or the default when the key is not there or is of another type. */
const value *value_get(const value *map, const char *key);
const char *value_text(msgpack_zone *zone, const value *map,
                       const char *key); /* a terminated copy, or NULL */
/* Copies the key of a map's pair i, a str, into `key`; returns it. */
const char *value_key(const value *map, uint32_t i, char key[BODY_KEY + 1]);
bool value_equals(const value *v, const char *text); /* is it this str? */
/* Adds a key to the keys that led to its map: "state.sums". Returns the length before, where the
 * path is to be cut again. */
enum { VALUE_PATH = BODY_DEPTH * (BODY_KEY + 1) + 16 };
size_t value_path_add(char path[VALUE_PATH], const value *key);
int64_t value_int(const value *map, const char *key, int64_t otherwise);
double value_real(const value *map, const char *key, double otherwise); /* ints count as reals */
bool value_bool(const value *map, const char *key, bool otherwise);

/* Known keys of a frame's map, checked: the value, or `otherwise` (NULL, "") where the key is not
 * there. They fail the run with MSA_CORRUPT: "frame 17: 'epoch' is no whole number from 0". */
int64_t field_int(struct msa *m, const struct frame *f, const char *key, int64_t least,
                  int64_t otherwise);
double field_real(struct msa *m, const struct frame *f, const char *key, double otherwise);
bool field_bool(struct msa *m, const struct frame *f, const char *key, bool otherwise);
void field_text(struct msa *m, const struct frame *f, const char *key, char *to, size_t size);
const value *field_map(struct msa *m, const struct frame *f, const char *key);
const value *field_array(struct msa *m, const struct frame *f, const char *key);

/* Making, in a zone; they fail the run when there is no memory. */
msgpack_zone *value_zone(struct msa *m); /* an empty zone; it goes with msa_free, or the run */
value value_str(struct msa *m, msgpack_zone *zone,
                const char *text); /* what is not UTF-8 becomes '?' */
value value_of_int(int64_t i);
value value_of_real(double d);
value value_of_bool(bool b);
value value_map(void);   /* empty */
value value_array(void); /* empty */
value value_nils(struct msa *m, msgpack_zone *zone,
                 size_t items); /* an array to fill in through via.array.ptr */
void value_set(struct msa *m, msgpack_zone *zone, value *map, const char *key,
               value v);                        /* replaces or appends */
void value_remove(value *map, const char *key); /* in place */
/* Copies the array: for a few items; value_nils is for many. */
void value_push(struct msa *m, msgpack_zone *zone, value *array, value v);
value value_copy(struct msa *m, msgpack_zone *zone,
                 const value *v); /* deep: outlives the frame it came from */

/* Packing. */
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
/* As msgpack-numpy writes it, with a pad that puts the payload on a 64-byte boundary of the body.
 * The payload is not copied: it must stay until body_write. */
void body_tensor(struct body *b, const struct tensor *t);

/* A tensor in a body, checked (keys, dtype, rank, payload == shape exactly). Returns NULL, or what
 * is wrong. */
const char *value_tensor(const value *v, const char *name, size_t name_length, struct tensor *t,
                         char text[256]);
/* A tensor as a value, its payload referenced; for headers and states. */
value value_of_tensor(struct msa *m, msgpack_zone *zone, const struct tensor *t);

#endif
