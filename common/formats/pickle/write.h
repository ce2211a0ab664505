/* Writes pickles of protocol 4 as a stream, piece by piece: nothing of what is written is kept,
 * however large. Errors of writing stay in the FILE (ferror). */
#ifndef MSA_PICKLE_WRITE_H
#define MSA_PICKLE_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One value stands between these two; a dict or list is that value, and takes values
 * until it ends. */
void pickle_write_begin(FILE *to);
void pickle_write_end(FILE *to);

void pickle_write_dict(FILE *to); /* then key, value, key, value … */
void pickle_write_dict_end(FILE *to);
void pickle_write_list(FILE *to);
void pickle_write_list_end(FILE *to);
void pickle_write_text(FILE *to, const char *text); /* UTF-8 */
void pickle_write_int(FILE *to, int32_t n);

/* A NumPy array in C order; `dtype` is NumPy's name of it without byte order: "f4", "f8", "i8",
 * "U20" (UCS4). Its numbers follow in this machine's byte order, exactly count * item bytes, by
 * fwrite; then the end. Every version of NumPy reads it. */
void pickle_write_array(FILE *to, const char *dtype, int rank, const size_t *shape);
void pickle_write_array_end(FILE *to);

#endif
