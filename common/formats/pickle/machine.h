/* What the parts of the pickle reader share: pickle.c (the file, looking into values), memory.c,
 * stack.c (bytes and stack), memo.c, pass.c (what is not used), ops.c (the opcodes), numpy.c (what
 * the allowed globals make), array.c, dtype.c, text.c and latin1.c (what is in arrays). */
#ifndef MSA_PICKLE_MACHINE_H
#define MSA_PICKLE_MACHINE_H

#include "common/formats/pickle/pickle.h"

/* Bytes of values, items and arrays that one pickle may take: enough for a list of PICKLE_VALUES
 * numbers. With the stacks, of up to 8 MiB each, a pickle takes less than 100 MB in all. */
enum { PICKLE_MEMORY = 56 * PICKLE_VALUES };

/* The globals that are allowed; what they are called with is data, and nothing of
 * them is executed. */
enum pickle_global {
    GLOBAL_RECONSTRUCT,
    GLOBAL_SCALAR,
    GLOBAL_NDARRAY,
    GLOBAL_DTYPE,
    GLOBAL_FROMBUFFER,
    GLOBAL_ENCODE,
    GLOBAL_ORDERED_DICT,
    GLOBAL_DEFAULT_DICT,
    GLOBAL_TYPE /* what a defaultdict makes of its own; never called */
};

struct pickle_dtype {
    char kind;
    bool swapped;
    size_t item;
};

/* A value of kind PICKLE_OTHER. */
struct pickle_other {
    struct pickle_value value; /* first: its address is that of both */
    enum { OTHER_GLOBAL, OTHER_DTYPE, OTHER_LATIN1, OTHER_PASSED } what;
    union {
        enum pickle_global global;
        struct pickle_dtype dtype;
        struct { /* bytes as UTF-8 text of code points below 256 */
            const uint8_t *text;
            size_t size;
        } latin1;
    };
};

/* A growing array of the machine: indexes or pointers. */
struct pickle_stack {
    void *items;
    size_t count, room;
};

struct pickle_chunk;

/* Memory that is taken in order; `taken`: bytes so far. */
struct pickle_arena {
    struct pickle_chunk *chunks; /* the newest first */
    size_t taken;
};

/* The entries that are fetched, by what the opcodes call them. */
struct pickle_memo {
    uint32_t *indexes;            /* sorted */
    struct pickle_value **values; /* NULL: not put yet */
    size_t count, room;
    uint64_t puts; /* entries put so far, fetched or not */
    bool numbered; /* some had their index beside them */
};

struct pickle_machine {
    struct pickle pickle;       /* first: what pickle_open returns */
    const uint8_t *at, *end;    /* what is left of the file */
    size_t offset;              /* of the opcode being run, for errors */
    struct pickle_stack values; /* struct pickle_value * */
    struct pickle_stack places; /* size_t: what was taken of scratch with each of them */
    struct pickle_stack marks;  /* size_t: depth of `values` at each mark */
    struct pickle_memo memo;
    size_t value_count;          /* so far, against the limit */
    struct pickle_arena kept;    /* lives as long as the pickle */
    struct pickle_arena scratch; /* what is passed over; taken back as it is dropped */
    size_t floor;                /* of scratch, what is below stays */
    pickle_used_fn *used;        /* NULL: everything is */
    void *closure;
    bool passing;                    /* what is made now is not used */
    bool missed;                     /* something was asked for that was passed over */
    struct pickle_other passed_over; /* stands in the memo for a list or array that was */
};

/* Fails the run with MSA_CORRUPT: "PATH: byte OFFSET: …". */
_Noreturn void pickle_fail(const struct pickle_machine *m, const char *format, ...)
    MSA_PRINTF(2, 3);
/* The same for what exceeds a limit, with the place: "PATH: byte OFFSET: train: sample 17,
 * 'raw_text': …". */
_Noreturn void pickle_fail_limit(const struct pickle_machine *m, const char *format, ...)
    MSA_PRINTF(2, 3);
/* Text of a file for an error: what is not printable ASCII is '?', and what is too long is cut.
 * Returns `text`. */
const char *pickle_printable(char text[64], const uint8_t *bytes, size_t length);

/* Zeroed memory that lives as long as the pickle, or, of what is passed over, as what it is part
 * of; `free`: outside the limit, for what the file's size bounds; `kept`: never passed over. */
void *pickle_take(struct pickle_machine *m, size_t bytes);
void *pickle_take_free(struct pickle_machine *m, size_t bytes);
void *pickle_take_kept(struct pickle_machine *m, size_t bytes);
/* Takes scratch back that was taken behind this place. */
void pickle_take_back(struct pickle_machine *m, size_t place);
void pickle_arenas_free(struct pickle_machine *m);
struct pickle_value *pickle_new(struct pickle_machine *m, enum pickle_kind kind);
struct pickle_other *pickle_new_other(struct pickle_machine *m, int what);
/* Pointers that an item of a list takes, or a pair of a dict. */
static inline size_t pickle_each(enum pickle_kind kind)
{
    return kind == PICKLE_DICT ? 2 : 1;
}
/* How many of them n pointers are; fails where a key has no value. */
size_t pickle_length(const struct pickle_machine *m, enum pickle_kind kind, size_t n);
/* Appends n pointers to the items of a list, or n / 2 pairs to a dict. */
void pickle_append(struct pickle_machine *m, struct pickle_value *to,
                   struct pickle_value *const *items, size_t n);

/* The next bytes of the file, refused when it ends before; a little-endian number; a line without
 * its end. */
const uint8_t *pickle_read(struct pickle_machine *m, uint64_t bytes);
uint64_t pickle_unsigned_at(const uint8_t *from, size_t bytes); /* little-endian */
uint64_t pickle_read_unsigned(struct pickle_machine *m, size_t bytes);
const uint8_t *pickle_read_line(struct pickle_machine *m, size_t *length);

/* The stack. What is below the last mark is out of reach. */
void pickle_push(struct pickle_machine *m, struct pickle_value *value);
struct pickle_value *pickle_top(const struct pickle_machine *m);
struct pickle_value *pickle_pop(struct pickle_machine *m);
/* Takes the values above the last mark, and the mark, off the stack; they stay readable until the
 * next push. */
struct pickle_value **pickle_pop_mark(struct pickle_machine *m, size_t *n);
/* What was taken of scratch when entry i of the stack, or one that was just popped, was on top. */
size_t pickle_place(const struct pickle_machine *m, size_t i);
void pickle_note_place(struct pickle_machine *m);

/* ---- What is passed over ---- */

/* Says whether what comes next is used: after each opcode. */
void pickle_decide(struct pickle_machine *m);
/* Where the next value belongs, for an error: "train: sample 17, 'raw_text': "; "" where that is
 * not known. */
enum { PICKLE_WHERE = 192 };
void pickle_where(const struct pickle_machine *m, char text[PICKLE_WHERE]);
/* A list or dict of n popped items, or of n / 2 popped pairs. */
struct pickle_value *pickle_collect(struct pickle_machine *m, enum pickle_kind kind,
                                    struct pickle_value *const *items, size_t n);
/* Adds popped items to what is passed over, on top of the stack: the first are kept, the others
 * dropped. */
void pickle_drop(struct pickle_machine *m, struct pickle_value *to,
                 struct pickle_value *const *items, size_t n);
/* Ends this reading where one of n popped items, or the value of a key that is used, has been
 * passed over, but belongs into a list, or dict, that is kept: it was taken for part of something
 * else. */
void pickle_expect_whole(struct pickle_machine *m, enum pickle_kind kind,
                         struct pickle_value *const *items, size_t n);
/* Ends this reading, which is begun again with nothing passed over. */
_Noreturn void pickle_missed(struct pickle_machine *m);

/* ---- The memo ---- */

/* Finds the entries that are fetched. */
void pickle_memo_find(struct pickle_machine *m);
void pickle_memo_free(struct pickle_machine *m);

/* Opcodes of the stack and the memo; the number is the width in bytes of the memo's index where
 * there is one. */
void pickle_op_mark(struct pickle_machine *m, size_t unused);
void pickle_op_pop(struct pickle_machine *m, size_t unused);
void pickle_op_pop_mark(struct pickle_machine *m, size_t unused);
void pickle_op_dup(struct pickle_machine *m, size_t unused);
void pickle_op_memo_put(struct pickle_machine *m, size_t width);
void pickle_op_memo_get(struct pickle_machine *m, size_t width);
void pickle_op_memoize(struct pickle_machine *m, size_t unused);

/* Runs the opcodes up to STOP; the value they leave. */
struct pickle_value *pickle_run(struct pickle_machine *m);
/* Goes over an opcode and what belongs to it, at *at; its code, and what it has for a number. -1:
 * the bytes end in it, or it is none. */
int pickle_next_op(const uint8_t **at, const uint8_t *end, uint64_t *number);

/* GLOBAL: the value for a name, refused when it is not allowed. */
struct pickle_value *pickle_find_global(struct pickle_machine *m, const uint8_t *module,
                                        size_t module_length, const uint8_t *name,
                                        size_t name_length);
/* REDUCE and BUILD. */
struct pickle_value *pickle_call(struct pickle_machine *m, struct pickle_value *global,
                                 const struct pickle_value *args);
void pickle_build(struct pickle_machine *m, struct pickle_value *value,
                  const struct pickle_value *state);

/* Value i of a tuple, of a kind; `what` names the tuple when it is not there. */
const struct pickle_value *pickle_item(const struct pickle_machine *m,
                                       const struct pickle_value *tuple, size_t i,
                                       enum pickle_kind kind, const char *what);
const struct pickle_other *pickle_item_other(const struct pickle_machine *m,
                                             const struct pickle_value *tuple, size_t i, int kind,
                                             const char *what);
bool pickle_is_word(const struct pickle_value *v, const char *word);

/* numpy.dtype called, and its state. */
struct pickle_value *pickle_make_dtype(struct pickle_machine *m, const struct pickle_value *args);
void pickle_build_dtype(const struct pickle_machine *m, struct pickle_dtype *dtype,
                        const struct pickle_value *state);

/* `size` bytes at `offset` of an array's bytes: where they are, or decoded into `buffer`. */
const uint8_t *pickle_bytes(struct pickle *p, const struct pickle_array *a, size_t offset,
                            size_t size, uint8_t *buffer);
/* Fails the run when not all of these elements are there. */
void pickle_check_range(struct pickle *p, const struct pickle_array *a, size_t first, size_t count);
/* Where element i in C order is, how many from it on are at equal distance, and that distance; all
 * in elements. */
size_t pickle_locate(const struct pickle_array *a, size_t i, size_t *run, size_t *step);
/* The one element of an array of rank 0, as a plain value. */
struct pickle_value *pickle_scalar(struct pickle_machine *m, const struct pickle_array *a);
struct pickle_value *pickle_scalar_text(struct pickle_machine *m,
                                        const struct pickle_array *a); /* of U or S */

#endif
