/* The commit that makes a checkpoint last, and the training that goes on from one
 * (msa-stream(5), "Checkpoints"): resume.c. */
#ifndef MSA_COMMIT_H
#define MSA_COMMIT_H

#include "common/run/option.h"
#include "common/stream/control.h"
#include "common/stream/record.h"

/* A commit: a stream file of H, C and E. C has the version of what commits and the files that they
 * name hold, as `format`; other formats are refused. */
enum { COMMIT_FORMAT = 2 };
struct commit {
    struct header *header;  /* of the training, as it began (commit_header) */
    struct control control; /* as it came back: whatever it names is safe */
};

/* Does the file that is open begin as one: with H and, as no other stream does, C at once? It may
 * be cut off before that. */
bool commit_resembles(struct msa *m, int fd, const char *path);
/* A copy of a signed header without what is of one run alone. */
struct header *commit_header(const struct header *h);
/* Replaces PATH (file_create, file_commit). */
void commit_write(struct msa *m, const char *path, const struct commit *commit);
/* A reader of a commit, or of a stream that was kept, in a file: one that was cut off is a bad file
 * (MSA_CORRUPT), as no other stage is there to say why. */
struct reader *commit_open(struct msa *m, const char *path);
/* Owned by the run; NULL: there is no such file, nothing has been committed. Fails the run with
 * MSA_CORRUPT where the file is another one, with MSA_USAGE where its format is. */
struct commit *commit_read(struct msa *m, const char *path);

/* Has the training of this header go on from a commit (NULL: from its beginning). */
void resume_put(struct header *h, const struct commit *commit);
/* The checkpoint that the training goes on from; 0: there was none, it begins again; -1: it is not
 * a resumed one. Fails the run with MSA_CORRUPT where the header's `resume` is wrong. */
long resume_checkpoint(const struct header *h);
/* Were its parameters the best so far? */
bool resume_best(const struct header *h);
/* The program's options of these names (comma-separated) as a map, for `settings`. */
value resume_settings(struct msa *m, msgpack_zone *zone, const char *names);
/* What this program gave to that checkpoint's state (control_add_state), a map; NULL where the
 * training does not go on from one. To be called before the header is signed. Fails the run with
 * MSA_USAGE where the checkpoint is of a line without this program, or where an entry of `settings`
 * (a map) is not what it was. */
const value *resume_state(const struct header *h, const value *settings);
/* For the last stage of a line, which sees all of it: fails the run with MSA_USAGE where a program
 * that gave a state is not in it. */
void resume_line(const struct header *h);
/* Parts that a state must have, of that type; else they fail the run with MSA_CORRUPT. */
double resume_number(struct msa *m, const value *state, const char *key);
int64_t resume_int(struct msa *m, const value *state, const char *key); /* from 0 to 2^53 */
bool resume_bool(struct msa *m, const value *state, const char *key);
const value *resume_map(struct msa *m, const value *state, const char *key);
uint32_t resume_crc32(struct msa *m, const value *state, const char *key);
const char *resume_text(struct msa *m, const value *state, const char *key); /* the run's */

#endif
