/* Whether ids of tokens that a data set has are those that a vocabulary gives. */
#ifndef MSA_AGREEMENT_H
#define MSA_AGREEMENT_H

#include "common/stream/record.h"
#include "common/text/tokenizer.h"

struct agreement {
    size_t compared, differing; /* samples */
    char *first;                /* what differs in the first, for a message; NULL: none does */
};

/* Adds the samples of a record, as long as fewer than `most` have been compared. Those without a
 * text do not count; nothing is compared where the record has no raw_text, or no text_bert int64
 * [B,3,L]. Padding does not count, nor how much of a long text was cut off. */
void agreement_add(struct agreement *a, struct tokenizer t, const struct record *r, size_t most);

#endif
