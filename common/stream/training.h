/* What tells a training from others, and its files from damaged ones (msa-stream(5),
 * "Checkpoints"). */
#ifndef MSA_TRAINING_H
#define MSA_TRAINING_H

#include "common/run/checksum.h"
#include "common/run/log.h"
#include "common/stream/commit.h"

/* A training as a stage sees it is a text of 24 hexadecimal digits, the same in each run of one
 * line: a CRC-32 of the stages upstream and of the stage itself, one of the settings of those
 * downstream, and one of these 16 digits, so that a damaged text is not mistaken for another
 * training. */
const char *training_text(struct msa *m, uint32_t own, uint32_t following);
/* Is it such a text? */
bool training_is_whole(const char *text);
/* The first of its CRCs. */
uint32_t training_own(const char *text);
/* The text in a header, "" where the source gave none; and puts one there. */
const char *training_of(const struct header *h);
void training_put(struct header *h, const char *text);

/* What follows a header is another training where these settings (a map) of a program without
 * parameters are others. */
void training_add_settings(struct header *h, const value *settings);
/* All of a line in one text, the same for each stage: the end of the line puts it into a control
 * that it sends back, when it has added its state (no header text: it doesn't); and what is there,
 * owned by the run, or NULL. */
void training_put_line(struct control *c, const struct header *h);
const char *training_line(struct msa *m, const value *control);

/* A value in 32 bits, the same whatever the order of its maps and the encoding of its numbers. */
uint32_t training_crc(const value *v);
/* The same of the settings of those that have given a state so far. */
uint32_t training_settings(const struct control *c);

/* Checksums in a state, {bytes, crc32}. resume_checksum fails the run with MSA_CORRUPT where the
 * state has none of that name. */
void training_put_checksum(struct control *c, value *state, const char *key, struct checksum sum);
struct checksum resume_checksum(struct msa *m, const value *state, const char *key);
/* A text that training_text has made; fails the run with MSA_CORRUPT where the state has none. */
const char *resume_training(struct msa *m, const value *state);

/* A program's log in its state: `log`, how many bytes are committed, and `log_crc32` of these;
 * neither where there is none (NULL), or none in a regular file. */
void training_put_log(struct control *c, value *state, struct log *log);
/* Opens --log PATH (NULL: none was given) to continue after the committed bytes; state NULL: from
 * the beginning. Fails the run as log_open, with MSA_USAGE where one training has a log in a
 * file and the other none, and with MSA_CORRUPT where the committed bytes are others. */
struct log *resume_log(struct msa *m, const value *state, const char *path);

#endif
