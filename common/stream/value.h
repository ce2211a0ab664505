/* MessagePack values as they are read (msgpack_object), and how to look into and change them;
 * body.h packs them.
 *
 * Changed maps are new objects in a zone; what is not touched is shared, so unknown keys pass
 * through. Keys are looked for as str. */
#ifndef MSA_VALUE_H
#define MSA_VALUE_H

#include "common/stream/frame.h"
#include <msgpack/object.h>
#include <msgpack/zone.h>

typedef msgpack_object value;

/* Looking: NULL or the default when the key is not there or is of another type. */
const value *value_get(const value *map, const char *key);
const char *value_text(msgpack_zone *zone, const value *map,
                       const char *key); /* a terminated copy, or NULL */
/* Copies the key of a map's pair i, a str, into `key`; returns it. */
const char *value_key(const value *map, uint32_t i, char key[BODY_KEY + 1]);
/* How many maps and arrays are in one another: of a number 0, of a tensor (a map with a shape) 2.
 */
int value_depth(const value *v);
bool value_equals(const value *v, const char *text); /* is it this str? */
/* Adds a key to the keys that led to its map: "state.sums". Returns the length before, where the
 * path is to be cut again. */
enum { VALUE_PATH = BODY_DEPTH * (BODY_KEY + 1) + 16 };
size_t value_path_add(char path[VALUE_PATH], const value *key);
int64_t value_int(const value *map, const char *key, int64_t otherwise);
double value_real(const value *map, const char *key, double otherwise); /* ints count as reals */
bool value_bool(const value *map, const char *key, bool otherwise);

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
/* A map of the same pairs, which may be changed without that one. */
value value_same_pairs(struct msa *m, msgpack_zone *zone, const value *map);
/* Copies the array: for a few items; value_nils is for many. */
void value_push(struct msa *m, msgpack_zone *zone, value *array, value v);
value value_copy(struct msa *m, msgpack_zone *zone,
                 const value *v); /* deep: outlives the frame it came from */

#endif
