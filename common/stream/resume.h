/* A training that is resumed: what a stage learns of it from the header, where msa-load has put the
 * commit's control as `resume` (msa-stream(5), "Checkpoints"). */
#ifndef MSA_RESUME_H
#define MSA_RESUME_H

#include "common/run/option.h"
#include "common/stream/record.h"

struct commit;

/* Has the training of this header go on from a commit (NULL: from its beginning). */
void resume_put(struct header *h, const struct commit *commit);
/* The checkpoint that the training goes on from; 0: nothing was committed, it begins again; -1: it
 * is not a resumed one. Fails the run with MSA_CORRUPT where the header's `resume` is wrong. */
long resume_checkpoint(const struct header *h);
/* Were its parameters the best so far? */
bool resume_best(const struct header *h);

/* The program's options of these names (comma-separated), and all of the variants that are chosen,
 * as a map: `settings` of a state. */
value resume_settings(struct msa *m, msgpack_zone *zone, const char *names);
/* What this program gave to that checkpoint's state (control_add_state), a map; NULL if the
 * training does not go on from one. To be called before the header is signed. Fails the run with
 * MSA_USAGE where the checkpoint is of a line without this program, or where an entry of `settings`
 * (a map) is not what it was. */
const value *resume_state(const struct header *h, const value *settings);
/* For the last stage of a line, which sees all of it: fails the run with MSA_USAGE where a program
 * that gave a state is not in it, or where these programs stand in another order. */
void resume_line(const struct header *h);

/* Parts that a state must have, of that type; else they fail the run with MSA_CORRUPT. */
double resume_number(struct msa *m, const value *state, const char *key);
int64_t resume_int(struct msa *m, const value *state, const char *key); /* from 0 to 2^53 */
bool resume_bool(struct msa *m, const value *state, const char *key);
const value *resume_map(struct msa *m, const value *state, const char *key);
/* What control_add_own has put there. */
const value *resume_own(struct msa *m, const value *state, const char *name);
uint32_t resume_crc32(struct msa *m, const value *state, const char *key);
const char *resume_text(struct msa *m, const value *state, const char *key); /* the run's */
/* A tensor of one dimension, of that dtype and number of elements (RESUME_ANY: of any). Its bytes
 * are the header's, and may be aligned to nothing. */
enum { RESUME_ANY = -1 };
struct tensor resume_tensor(struct msa *m, const value *state, const char *key, enum dtype dtype,
                            long count);

#endif
