/* Text that comes from outside: is it UTF-8, made so where it is not, and how it is shown. */
#ifndef MSA_UTF8_H
#define MSA_UTF8_H

#include "common/run/run.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

bool utf8_valid(const void *text, size_t length);
/* UTF-8 of characters that are all shown as they are, which a name must be. */
bool utf8_printable(const void *text, size_t length);
/* Makes data UTF-8, and else leaves them as they are: puts '?' in the place of every byte that is
 * no part of a character, and of zeros. */
void utf8_clean(char *text, size_t length);
/* A copy of what was said: U+FFFD in the place of zeros, of which no token is made, and '?' in that
 * of bytes that are no part of a character. Owned by the run; msa_free it. */
char *utf8_said(struct msa *m, const char *text, size_t length);

/* ---- Showing ----
 *
 * Whatever is shown of a text from outside, on a terminal, in an error or in a table, goes through
 * one of these. Characters that command a terminal, end a line or turn its direction, or have no
 * width, are not shown as they are: controls (C0, DEL, C1), U+061C, U+200B, U+200E, U+200F, U+2028
 * to U+202E, U+2060 to U+206F, U+FEFF and U+FFF9 to U+FFFB. The joiners U+200C and U+200D, which
 * scripts and emoji need, are. */

/* '?' in the place of each of them, and of each byte that is no part of a character; the text may
 * get shorter. */
void utf8_show(char *text);
/* The same of a text that is left as it is; a zero in it is a character. */
void utf8_print(FILE *to, const void *text, size_t length);
/* Without loss, and as JSON's strings have it: each of them as \u and 4 hexadecimal digits. What is
 * not UTF-8 is '?'. */
void utf8_print_escaped(FILE *to, const void *text, size_t length);

#endif
