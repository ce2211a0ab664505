/* Writing pickles. */
#include "common/formats/pickle/write.h"

#include <stdlib.h>
#include <string.h>

static void put_unsigned(FILE *to, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        putc((int)(n >> 8 * i & 0xff), to);
}

static void put(FILE *to, const char *opcodes)
{
    fputs(opcodes, to);
}

void pickle_write_begin(FILE *to)
{
    put(to, "\x80\x04");
}

void pickle_write_end(FILE *to)
{
    put(to, ".");
}

void pickle_write_dict(FILE *to)
{
    put(to, "}(");
}

void pickle_write_dict_end(FILE *to)
{
    put(to, "u");
}

void pickle_write_list(FILE *to)
{
    put(to, "](");
}

void pickle_write_list_end(FILE *to)
{
    put(to, "e");
}

void pickle_write_text(FILE *to, const char *text)
{
    put(to, "X");
    put_unsigned(to, strlen(text), 4);
    put(to, text);
}

void pickle_write_int(FILE *to, int32_t n)
{
    put(to, "J");
    put_unsigned(to, (uint32_t)n, 4);
}

/* LONG1 */
static void put_size(FILE *to, size_t n)
{
    put(to, "\x8a\x08");
    put_unsigned(to, n, 8);
}

static size_t item_size(const char *dtype)
{
    return (size_t)atoi(dtype + 1) * (dtype[0] == 'U' ? 4 : 1);
}

/* dtype(name, False, True) with its state (3, byte order, None, None, None, size, alignment,
 * flags); the last three count for text alone. */
static void put_dtype(FILE *to, const char *dtype)
{
    int text = dtype[0] == 'U';
    put(to, "cnumpy\ndtype\n");
    pickle_write_text(to, dtype);
    put(to, "\x89\x88\x87R(K\x03");
    pickle_write_text(to, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "<" : ">");
    put(to, "NNN");
    pickle_write_int(to, text ? (int32_t)item_size(dtype) : -1);
    pickle_write_int(to, text ? 4 : -1);
    pickle_write_int(to, text ? 8 : 0);
    put(to, "tb");
}

/* _reconstruct(ndarray, (0,), b"b") with the state (1, shape, dtype, in Fortran order?, bytes) */
void pickle_write_array(FILE *to, const char *dtype, int rank, const size_t *shape)
{
    size_t bytes = item_size(dtype);
    put(to, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n");
    pickle_write_int(to, 0);
    put(to, "\x85"
            "C\x01"
            "b\x87R(K\x01(");
    for (int i = 0; i < rank; i++) {
        put_size(to, shape[i]);
        bytes *= shape[i];
    }
    put(to, "t");
    put_dtype(to, dtype);
    put(to, "\x89\x8e");
    put_unsigned(to, bytes, 8);
}

void pickle_write_array_end(FILE *to)
{
    put(to, "tb");
}
