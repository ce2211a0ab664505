/* Text as BERT takes it: the ids of its tokens, by WordPiece. The same as Hugging Face's
 * BertTokenizerFast makes of it (tests/oracle/tokenizer.py). */
#ifndef MSA_TOKENIZER_H
#define MSA_TOKENIZER_H

#include "common/text/vocab.h"

struct tokenizer {
    const struct vocab *vocab;
    size_t length; /* L: of what is made of a text, from 2 */
    bool cased;
};

/* out[3][L]: ids, [CLS] first and [SEP] behind as many tokens as fit, then [PAD]; 1 for each that
 * is no padding; segments, all 0. A special token's name in the text is that token. */
void tokenizer_row(const struct tokenizer *t, const char *text, size_t size, int64_t *out);

#endif
