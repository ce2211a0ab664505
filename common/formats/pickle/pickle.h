/* Python pickles of protocols 2 to 5, read as data: nothing is ever executed.
 *
 * The file is mapped; numbers of arrays stay where they are in it. What comes of a pickle is a tree
 * of values; a list or dict may be shared (memo), even contain itself: walk it by name and index,
 * never without bound. Globals other than those msa-model(7), Data, allows fail the run with
 * MSA_CORRUPT and one line that names the file, the offset, what was found and what is allowed.
 * Anonymous memory is bounded by the number of values (at most PICKLE_VALUES), not by the size of
 * arrays; in protocol 2, where their bytes are text, an index of 1/128 of their size is kept.
 *
 * What is under a key that the caller does not use is passed over: only the first items of its
 * lists and dicts are kept, which show what it is, and there may be any number of them. */
#ifndef MSA_PICKLE_H
#define MSA_PICKLE_H

#include "common/run/mapping.h"

enum { PICKLE_VALUES = 1 << 20 };
enum { PICKLE_LETTERS = 1 << 14 }; /* of a text that is read: longer ones are refused */

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,  /* integer */
    PICKLE_INT,   /* integer; beyond 64 bits, signed or not, is refused */
    PICKLE_REAL,  /* real */
    PICKLE_TEXT,  /* bytes, length: UTF-8, into the file, no terminator */
    PICKLE_BYTES, /* bytes, length */
    PICKLE_LIST,  /* items, length; tuples too */
    PICKLE_DICT,  /* items, length: key, value, key, value …; length is the number of pairs */
    PICKLE_ARRAY, /* array */
    PICKLE_OTHER, /* something only pickles need (a global, a dtype); never data */
    PICKLE_KINDS
};

/* A NumPy array in the file. Numbers are converted by pickle_numbers. */
struct pickle_array {
    char kind;    /* NumPy's: 'f' 'i' 'u' 'b' 'U' 'S'; 'O' (a list of values) */
    bool swapped; /* not in this machine's byte order */
    int rank;     /* at most 8 */
    size_t item;  /* bytes of an element */
    size_t shape[8];
    size_t stride[8];    /* elements from one index of an axis to the next: C, Fortran or any other
                            order of axes */
    size_t count;        /* elements */
    const uint8_t *data; /* count * item bytes; NULL where they are text */
    const uint8_t *latin1; /* protocol 2: the bytes as UTF-8 text of code points below 256, decoded
                              as they are read */
    size_t latin1_size;
    size_t *latin1_index;  /* where each piece of the bytes starts in the text; made as far as it is
                              needed */
    size_t latin1_indexed; /* pieces behind the first that have been found */
    struct pickle_value *objects; /* kind 'O': count values, in C order; passed over, the first */
};

struct pickle_value {
    enum pickle_kind kind;
    bool above;   /* PICKLE_INT: above INT64_MAX, and `integer` has the bits of a uint64_t */
    bool passed;  /* PICKLE_LIST, PICKLE_DICT: not all items may be there (pickle_kept) */
    bool scratch; /* for the reader: of memory that is taken back */
    size_t length;
    union {
        int64_t integer;
        double real;
        const uint8_t *bytes;
        struct pickle_value **items;
        struct pickle_array *array;
    };
};

struct pickle {
    struct msa *m;
    const char *path;
    struct mapping map;
    struct pickle_value *root;
};

/* Is what stands under this key used, in the pickle's dict or in a dict in that? */
typedef bool pickle_used_fn(void *closure, const uint8_t *key, size_t length);

/* Reads the bytes of PATH, which are the pickle's from now on, to be unmapped. `used`: NULL: all
 * is. Fails the run; owned by the run. */
struct pickle *pickle_open(struct msa *m, const char *path, struct mapping map,
                           pickle_used_fn *used, void *closure);
void pickle_close(struct pickle *p);

/* What Python calls it: "None", "list" … */
const char *pickle_kind_name(enum pickle_kind kind);
/* A number of kind REAL, INT or BOOL. */
double pickle_real(const struct pickle_value *v);
/* Of a list the items that are there, of a dict the pairs: the first of `length`. */
size_t pickle_kept(const struct pickle_value *v);
/* The value of a str key in a dict; NULL when there is none, or `dict` is no dict. */
const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key);
/* Elements first..first+count of an array in C order as float32 (from f2 f4 f8
 * i1..i8 u1..u8 b1). */
void pickle_numbers(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                    float *out);
/* The same as int64, for integer arrays; those above INT64_MAX have the bits of a uint64_t. */
void pickle_integers(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                     int64_t *out);
/* The same as double, for arrays of floating-point numbers. */
void pickle_doubles(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                    double *out);
/* Element i of an array of text or integers (U, S, i, u, b, or objects as pickle_text takes them)
 * as UTF-8; owned by the run. */
char *pickle_string(struct pickle *p, const struct pickle_array *a, size_t i);
/* A text, bytes or an integer as UTF-8, what is no character as U+FFFD; owned by the run. */
char *pickle_text(struct pickle *p, const struct pickle_value *v);

#endif
