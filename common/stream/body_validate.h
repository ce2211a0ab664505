/* Bodies are walked before anything is made of them. */
#ifndef MSA_BODY_VALIDATE_H
#define MSA_BODY_VALIDATE_H

#include "common/stream/frame.h"

/* Walks a body without allocating: exactly one map with str keys (maps inside it may have bin keys)
 * and nothing behind it, depth, number of objects and pairs within the limits, no ext types, all
 * lengths inside, str in UTF-8, keys of 1 to BODY_KEY bytes of printable UTF-8 without duplicates
 * in every map. Returns NULL, or what is wrong ("key 'loss' twice"), in text. */
const char *body_walk(const uint8_t *bytes, size_t length, char text[256]);

#endif
