/* BERT's BasicTokenizer: a text cut into words, in one pass and without memory of its own. Controls
 * are dropped; unless `cased`, letters are decomposed (NFD), lose their accents and become lower
 * case, in this order and each by itself (so a final sigma is as any other); punctuation and
 * ideographs are words of one letter. */
#ifndef MSA_WORDS_H
#define MSA_WORDS_H

#include "common/text/letter.h"

#include <stddef.h>

enum { WORD_LETTERS = 100 }; /* longer words are in no vocabulary */

struct word {
    size_t count;                  /* of its letters; beyond WORD_LETTERS they are only counted */
    int32_t letters[WORD_LETTERS]; /* code points */
};

struct words {
    const uint8_t *at, *end; /* what is left; bytes that are not UTF-8 are dropped */
    bool cased;
    int32_t ready[LETTER_PARTS + 2]; /* what the last character became, perhaps between spaces */
    int count, next;
};

struct words words_of(const char *text, size_t size, bool cased);
/* The next word; false at the end. */
bool words_next(struct words *w, struct word *word);

#endif
