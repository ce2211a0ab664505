/* Code points as BERT's tokenizer takes them.
 *
 * Categories are those of Hugging Face's `tokenizers`, whose tables are of Unicode 8.0: what
 * Unicode has added since is a letter there, be it an accent or a bracket. utf8proc knows them
 * better, so these are listed; tests/oracle/tokenizer.py compares all code points. */
#ifndef MSA_LETTER_H
#define MSA_LETTER_H

#include <stdbool.h>
#include <stdint.h>

enum letter_kind {
    LETTER_PLAIN,
    LETTER_SPACE,
    LETTER_PUNCTUATION, /* a word of its own: P*, and the symbols of ASCII */
    LETTER_ACCENT,      /* Mn: dropped where accents are */
    LETTER_DROPPED      /* controls, format characters, private ones, U+FFFD */
};
enum letter_kind letter_kind(int32_t c);

/* CJK ideographs, each of them a word. */
bool letter_is_chinese(int32_t c);

enum { LETTER_PARTS = 4 };
/* Its canonical decomposition (NFD); how many code points that is. */
int letter_decompose(int32_t c, int32_t parts[LETTER_PARTS]);
/* Its place among the marks of one letter: their order is that of their classes; 0 is no mark. */
int letter_class(int32_t c);
/* The one lower-case letter, whatever stands beside it. */
int32_t letter_lower(int32_t c);

#endif
