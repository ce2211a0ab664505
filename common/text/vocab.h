/* A vocabulary: a file of one token a line, whose id is the number of its line, from 0. */
#ifndef MSA_VOCAB_H
#define MSA_VOCAB_H

#include "common/run/mapping.h"

/* Tokens that are no words. */
enum vocab_special { TOKEN_PAD, TOKEN_UNK, TOKEN_CLS, TOKEN_SEP, TOKEN_MASK, TOKEN_SPECIALS };
extern const char *const vocab_specials[TOKEN_SPECIALS]; /* "[PAD]" … */

struct vocab_token {
    const uint8_t *text; /* in the map */
    size_t length, id;
};

struct vocab {
    struct mapping map;
    size_t count;
    struct vocab_token *tokens;      /* [count], in the order of their bytes */
    int64_t special[TOKEN_SPECIALS]; /* their ids; -1: there is no [MASK] */
};

/* Reads PATH; owned by the run. Fails it with MSA_CORRUPT, naming file and line, where a token is
 * empty, not UTF-8 or there twice, or where a special one but [MASK] is missing; empty lines at the
 * end are none. Fails it as content_expect where PATH is no text. */
struct vocab *vocab_open(struct msa *m, const char *path);
/* The id of a token; -1: it is none. */
int64_t vocab_find(const struct vocab *v, const void *text, size_t length);

#endif
