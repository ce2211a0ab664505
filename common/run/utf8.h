/* Text that comes from outside: is it UTF-8, and made so where it is not. */
#ifndef MSA_UTF8_H
#define MSA_UTF8_H

#include "common/run/run.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const void *text, size_t length);
/* UTF-8 without control characters. */
bool utf8_printable(const void *text, size_t length);
/* Puts '?' in the place of every byte that is no part of a character, and of zeros. */
void utf8_clean(char *text, size_t length);
/* A copy of what was said: U+FFFD in the place of zeros, of which no token is made, and '?' in that
 * of bytes that are no part of a character. Owned by the run; msa_free it. */
char *utf8_said(struct msa *m, const char *text, size_t length);

#endif
