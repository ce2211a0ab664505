/* The identity of a training: what tells it from others, and its files from theirs (msa-stream(5),
 * "Checkpoints"). */
#ifndef MSA_TRAINING_H
#define MSA_TRAINING_H

#include "common/stream/control.h"
#include "common/stream/resume.h"

/* A training as a stage sees it is a text of 24 hexadecimal digits, the same in each run of one
 * line: a CRC-32 of the stages upstream and of the stage itself, one of the settings of those
 * downstream, and one of these 16 digits, so that a damaged text is not mistaken for another
 * training. */
enum { TRAINING_TEXT = 25 };
const char *training_text(char text[TRAINING_TEXT], uint32_t own, uint32_t following);
/* Is it such a text? */
bool training_is_whole(const char *text);
/* The first of its CRCs. */
uint32_t training_own(const char *text);
/* The text in a header, "" if the source gave none; training_put puts one there. */
const char *training_of(const struct header *h);
void training_put(struct header *h, const char *text);

/* With other settings (a map) of this program, which has no parameters, it is another training to
 * the stages after it. */
void training_add_settings(struct header *h, const value *settings);
/* The whole line in one text, the same for each of its stages: the end of the line puts it into a
 * control that it sends back, once it has added its own state; not if the header has no text. */
void training_put_line(struct control *c, const struct header *h);
/* That text, owned by the run; NULL: the control has none. */
char *training_line(struct msa *m, const value *control);

/* A value in 32 bits, the same whatever the order of its maps and the encoding of its numbers. */
uint32_t training_crc(const value *v);
/* The same of the settings of all programs that have added a state so far. */
uint32_t training_settings(const struct control *c);

/* The text that a state has as `training`; fails the run with MSA_CORRUPT where it has none. */
const char *resume_training(struct msa *m, const value *state);

#endif
