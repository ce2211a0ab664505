/* Frames by key. */
#ifndef MSA_FRAME_FIELDS_H
#define MSA_FRAME_FIELDS_H

#include "common/stream/value.h"

/* Known keys of a frame's map, checked: the value, or `otherwise` (NULL, "") where the key is not
 * there. They fail the run with MSA_CORRUPT: "frame 17: 'epoch' is no whole number from 0". */
int64_t field_int(struct msa *m, const struct frame *f, const char *key, int64_t least,
                  int64_t otherwise);
double field_real(struct msa *m, const struct frame *f, const char *key, double otherwise);
bool field_bool(struct msa *m, const struct frame *f, const char *key, bool otherwise);
void field_text(struct msa *m, const struct frame *f, const char *key, char *to, size_t size);
const value *field_map(struct msa *m, const struct frame *f, const char *key);
const value *field_array(struct msa *m, const struct frame *f, const char *key);

#endif
