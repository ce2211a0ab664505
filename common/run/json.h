/* JSON values that go with the run. */
#ifndef MSA_JSON_H
#define MSA_JSON_H

#include "common/run/run.h"
#include <jansson.h>

/* Room for a value, which goes when the room does: with msa_free, or at the end of the run. */
json_t **json_holder(struct msa *m);
/* What the text says, without a key twice in an object; NULL, and why, if it is no JSON. It is only
 * to be looked at: its memory goes at the end of the run, and it is never decref'd. Fails the run
 * when there is no memory. */
json_t *json_read(struct msa *m, const char *text, size_t length, json_error_t *error);
/* The value as compact text; msa_free it. Fails the run when there is no memory, or no value. */
char *json_text(struct msa *m, const json_t *value);

#endif
