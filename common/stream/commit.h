/* The commit of a line: the file that makes a checkpoint last (msa-stream(5), "Checkpoints";
 * common/stage/checkpoint.c tells what else there is to a training that can be killed). */
#ifndef MSA_COMMIT_H
#define MSA_COMMIT_H

#include "common/stream/control.h"
#include "common/stream/record.h"

/* A commit: a stream file of H, C and E. C has `format`, the version of what commits and the files
 * that go with them hold; other formats are refused. */
enum { COMMIT_FORMAT = 3 };
struct commit {
    struct header *header;  /* of the training, as it began (commit_header) */
    struct control control; /* as it came back: all that it names is on the disk */
};

/* Does the file that is open begin as a commit: with H and then, as no other stream does, C? It may
 * be cut off before that. */
bool commit_resembles(struct msa *m, int fd, const char *path);
/* A copy of a signed header without what belongs to one run alone. */
struct header *commit_header(const struct header *h);
/* Replaces PATH (file_create, file_commit). */
void commit_write(struct msa *m, const char *path, const struct commit *commit);
/* A reader of a commit, or of a stream that was kept, in a file: one that was cut off is a bad file
 * (MSA_CORRUPT), as there is no other stage to say why. */
struct reader *commit_open(struct msa *m, const char *path);
/* Owned by the run; NULL: there is no such file, nothing has been committed. Fails the run with
 * MSA_CORRUPT if the file is no commit, with MSA_USAGE if it is one of another format. */
struct commit *commit_read(struct msa *m, const char *path);

#endif
