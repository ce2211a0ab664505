/* JSON values that go with the run. */
#ifndef MSA_JSON_H
#define MSA_JSON_H

#include "common/run/run.h"
#include <jansson.h>

/* Room for a value, which goes when the room does: with msa_free, or at the end of the run. */
json_t **json_holder(struct msa *m);
/* What a text says. */
struct json {
    json_t *value; /* NULL: it is no JSON. Only to be looked at, and never decref'd. */
    json_error_t error;
    struct json_chunk *memory; /* of all of it */
};
/* Refuses a key that is twice in an object. Fails the run when there is no memory. */
struct json json_read(struct msa *m, const char *text, size_t length);
/* The object that a text is. Fails the run with MSA_CORRUPT, "FROM: no JSON object of at most 1
 * MiB", where it is none, or longer. */
struct json json_read_object(struct msa *m, const char *from, const char *text, size_t length);
/* The same of a file. */
struct json json_read_file(struct msa *m, const char *path);
void json_free(struct msa *m, struct json *json);
/* The value as a line of text for people and programs, as json_dumpf writes it, but characters that
 * are not shown (utf8.h) are escaped; false: it has text that is not UTF-8, or something failed. */
bool json_print(const json_t *value, FILE *to, size_t flags);
/* The value as compact text; msa_free it. Fails the run when there is no memory, or no value. */
char *json_text(struct msa *m, const json_t *value);

#endif
