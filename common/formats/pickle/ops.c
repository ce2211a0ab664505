/* The opcodes of pickles. Each makes values on the stack, and nothing but values; those that could
 * do more are named and refused. An opcode's function gets the number that the table gives it: a
 * width in bytes, a kind, a count. Those of the stack and the memo are in stack.c. */
#include "common/formats/pickle/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Plain values ---- */

static void push_integer(struct pickle_machine *m, enum pickle_kind kind, int64_t integer)
{
    struct pickle_value *value = pickle_new(m, kind);
    value->integer = integer;
    pickle_push(m, value);
}

static void op_bool(struct pickle_machine *m, size_t truth)
{
    push_integer(m, PICKLE_BOOL, (int64_t)truth);
}

static void op_unsigned(struct pickle_machine *m, size_t width)
{
    push_integer(m, PICKLE_INT, (int64_t)pickle_read_unsigned(m, width));
}

static void push_above(struct pickle_machine *m, uint64_t n)
{
    struct pickle_value *value = pickle_new(m, PICKLE_INT);
    value->above = n > INT64_MAX;
    value->integer = (int64_t)n;
    pickle_push(m, value);
}

/* In two's complement; one that needs the sign of a ninth byte is above INT64_MAX. */
static void push_signed(struct pickle_machine *m, uint64_t width)
{
    if (width == 9 && m->end - m->at >= 9 && m->at[8] == 0) {
        push_above(m, pickle_read_unsigned(m, 8));
        pickle_read(m, 1);
        return;
    }
    if (width > 8)
        pickle_fail(m, "an integer of %llu bytes but expected one of 64 bits",
                    (unsigned long long)width);
    uint64_t n = pickle_read_unsigned(m, (size_t)width);
    if (width > 0 && width < 8 && n >> (8 * width - 1))
        n |= ~(uint64_t)0 << (8 * width);
    push_integer(m, PICKLE_INT, (int64_t)n);
}

static void op_signed(struct pickle_machine *m, size_t width)
{
    push_signed(m, width);
}

/* An integer behind its length. */
static void op_long(struct pickle_machine *m, size_t width)
{
    push_signed(m, pickle_read_unsigned(m, width));
}

/* Python 2 writes what needs more than 32 bits as a line of text. */
static void op_int(struct pickle_machine *m, size_t unused)
{
    size_t length = unused;
    const uint8_t *line = pickle_read_line(m, &length);
    char text[24] = "", *end = text;
    if (length > 0 && length < sizeof text && memchr("-0123456789", line[0], 11))
        memcpy(text, line, length);
    errno = 0;
    bool negative = text[0] == '-';
    uint64_t n = negative ? (uint64_t)strtoll(text, &end, 10) : (uint64_t)strtoull(text, &end, 10);
    if (errno || end == text || end != text + length)
        pickle_fail(m, "'%s' is no integer of 64 bits",
                    pickle_printable((char[64]){0}, line, length));
    if (negative)
        push_integer(m, PICKLE_INT, (int64_t)n);
    else
        push_above(m, n);
}

static void op_real(struct pickle_machine *m, size_t width)
{
    uint64_t bits = __builtin_bswap64(pickle_read_unsigned(m, width));
    struct pickle_value *value = pickle_new(m, PICKLE_REAL);
    memcpy(&value->real, &bits, sizeof bits);
    pickle_push(m, value);
}

/* Text or bytes behind their length. */
static void push_bytes(struct pickle_machine *m, enum pickle_kind kind, size_t width)
{
    uint64_t length = pickle_read_unsigned(m, width);
    const uint8_t *bytes = pickle_read(m, length);
    struct pickle_value *value = pickle_new(m, kind);
    value->bytes = bytes;
    value->length = (size_t)length;
    pickle_push(m, value);
}

static void op_text(struct pickle_machine *m, size_t width)
{
    push_bytes(m, PICKLE_TEXT, width);
}

static void op_bytes(struct pickle_machine *m, size_t width)
{
    push_bytes(m, PICKLE_BYTES, width);
}

/* ---- Lists and dicts ---- */

static void op_empty(struct pickle_machine *m, size_t kind)
{
    pickle_push(m, pickle_collect(m, (enum pickle_kind)kind, NULL, 0));
}

static void op_none(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    pickle_push(m, pickle_new(m, PICKLE_NONE));
}

static void op_collect(struct pickle_machine *m, size_t kind)
{
    size_t n;
    struct pickle_value **items = pickle_pop_mark(m, &n);
    pickle_push(m, pickle_collect(m, (enum pickle_kind)kind, items, n));
}

static void op_tuple(struct pickle_machine *m, size_t n)
{
    struct pickle_value *items[3];
    for (size_t i = n; i-- > 0;)
        items[i] = pickle_pop(m);
    pickle_push(m, pickle_collect(m, PICKLE_LIST, items, n));
}

/* Adds to the list or dict that is on top. */
static void extend(struct pickle_machine *m, size_t kind, struct pickle_value *const *items,
                   size_t n)
{
    struct pickle_value *value = pickle_top(m);
    if (value->kind != (enum pickle_kind)kind)
        pickle_fail(m, "what is to be filled is no %s", kind == PICKLE_DICT ? "dict" : "list");
    if (value->passed)
        pickle_drop(m, value, items, n);
    else
        pickle_append(m, value, items, n);
}

static void op_add_marked(struct pickle_machine *m, size_t kind)
{
    size_t n;
    struct pickle_value **items = pickle_pop_mark(m, &n);
    extend(m, kind, items, n);
}

static void op_append(struct pickle_machine *m, size_t kind)
{
    struct pickle_value *item = pickle_pop(m);
    extend(m, kind, &item, 1);
}

static void op_setitem(struct pickle_machine *m, size_t kind)
{
    struct pickle_value *pair[2];
    pair[1] = pickle_pop(m);
    pair[0] = pickle_pop(m);
    extend(m, kind, pair, 2);
}

/* ---- Globals ---- */

static void op_global(struct pickle_machine *m, size_t unused)
{
    size_t module_length = unused, name_length = unused;
    const uint8_t *module = pickle_read_line(m, &module_length),
                  *name = pickle_read_line(m, &name_length);
    pickle_push(m, pickle_find_global(m, module, module_length, name, name_length));
}

static void op_stack_global(struct pickle_machine *m, size_t kind)
{
    const struct pickle_value *name = pickle_pop(m), *module = pickle_pop(m);
    if (name->kind != (enum pickle_kind)kind || module->kind != (enum pickle_kind)kind)
        pickle_fail(m, "the name of a global is no text");
    pickle_push(m, pickle_find_global(m, module->bytes, module->length, name->bytes, name->length));
}

static void op_reduce(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    struct pickle_value *args = pickle_pop(m), *global = pickle_pop(m);
    pickle_push(m, pickle_call(m, global, args));
}

static void op_build(struct pickle_machine *m, size_t unused)
{
    (void)unused;
    struct pickle_value *state = pickle_pop(m);
    pickle_build(m, pickle_top(m), state);
}

/* ---- The file's own ---- */

static void op_proto(struct pickle_machine *m, size_t width)
{
    uint64_t protocol = pickle_read_unsigned(m, width);
    if (protocol < 2 || protocol > 5)
        pickle_fail(m, "protocol %d but expected 2 to 5", (int)protocol);
}

/* A frame says how many bytes follow; they are read like any others. */
static void op_frame(struct pickle_machine *m, size_t width)
{
    uint64_t length = pickle_read_unsigned(m, width);
    pickle_read(m, length);
    m->at -= length;
}

/* What stands behind an opcode: `number` bytes, a length in as many and those bytes, lines. */
enum argument { NOTHING, BYTES, COUNTED, LINE, LINES };

struct op {
    const char *name;
    enum argument argument;
    void (*run)(struct pickle_machine *m, size_t number);
    size_t number;
    const char *refused; /* why it has no function */
};

static const char makes_object[] = "would make a Python object, which is not data";
static const char out_of_band[] = "takes an array from a buffer that is not in the file";
static const char too_old[] = "belongs to protocols 0 and 1 but expected 2 to 5";

static const struct op ops[256] = {
    ['('] = {"MARK", .run = pickle_op_mark},
    ['0'] = {"POP", .run = pickle_op_pop},
    ['1'] = {"POP_MARK", .run = pickle_op_pop_mark},
    ['2'] = {"DUP", .run = pickle_op_dup},
    [0x94] = {"MEMOIZE", .run = pickle_op_memoize},
    ['q'] = {"BINPUT", BYTES, .run = pickle_op_memo_put, .number = 1},
    ['r'] = {"LONG_BINPUT", BYTES, .run = pickle_op_memo_put, .number = 4},
    ['h'] = {"BINGET", BYTES, .run = pickle_op_memo_get, .number = 1},
    ['j'] = {"LONG_BINGET", BYTES, .run = pickle_op_memo_get, .number = 4},
    ['N'] = {"NONE", .run = op_none},
    [0x88] = {"NEWTRUE", .run = op_bool, .number = true},
    [0x89] = {"NEWFALSE", .run = op_bool, .number = false},
    ['I'] = {"INT", LINE, .run = op_int},
    ['J'] = {"BININT", BYTES, .run = op_signed, .number = 4},
    ['K'] = {"BININT1", BYTES, .run = op_unsigned, .number = 1},
    ['M'] = {"BININT2", BYTES, .run = op_unsigned, .number = 2},
    [0x8a] = {"LONG1", COUNTED, .run = op_long, .number = 1},
    [0x8b] = {"LONG4", COUNTED, .run = op_long, .number = 4},
    ['G'] = {"BINFLOAT", BYTES, .run = op_real, .number = 8},
    [0x8c] = {"SHORT_BINUNICODE", COUNTED, .run = op_text, .number = 1},
    ['X'] = {"BINUNICODE", COUNTED, .run = op_text, .number = 4},
    [0x8d] = {"BINUNICODE8", COUNTED, .run = op_text, .number = 8},
    ['U'] = {"SHORT_BINSTRING", COUNTED, .run = op_bytes, .number = 1},
    ['T'] = {"BINSTRING", COUNTED, .run = op_bytes, .number = 4},
    ['C'] = {"SHORT_BINBYTES", COUNTED, .run = op_bytes, .number = 1},
    ['B'] = {"BINBYTES", COUNTED, .run = op_bytes, .number = 4},
    [0x8e] = {"BINBYTES8", COUNTED, .run = op_bytes, .number = 8},
    [0x96] = {"BYTEARRAY8", COUNTED, .run = op_bytes, .number = 8},
    [']'] = {"EMPTY_LIST", .run = op_empty, .number = PICKLE_LIST},
    [')'] = {"EMPTY_TUPLE", .run = op_empty, .number = PICKLE_LIST},
    [0x8f] = {"EMPTY_SET", .run = op_empty, .number = PICKLE_LIST},
    ['}'] = {"EMPTY_DICT", .run = op_empty, .number = PICKLE_DICT},
    ['l'] = {"LIST", .run = op_collect, .number = PICKLE_LIST},
    ['t'] = {"TUPLE", .run = op_collect, .number = PICKLE_LIST},
    [0x91] = {"FROZENSET", .run = op_collect, .number = PICKLE_LIST},
    ['d'] = {"DICT", .run = op_collect, .number = PICKLE_DICT},
    [0x85] = {"TUPLE1", .run = op_tuple, .number = 1},
    [0x86] = {"TUPLE2", .run = op_tuple, .number = 2},
    [0x87] = {"TUPLE3", .run = op_tuple, .number = 3},
    ['a'] = {"APPEND", .run = op_append, .number = PICKLE_LIST},
    ['e'] = {"APPENDS", .run = op_add_marked, .number = PICKLE_LIST},
    [0x90] = {"ADDITEMS", .run = op_add_marked, .number = PICKLE_LIST},
    ['s'] = {"SETITEM", .run = op_setitem, .number = PICKLE_DICT},
    ['u'] = {"SETITEMS", .run = op_add_marked, .number = PICKLE_DICT},
    ['c'] = {"GLOBAL", LINES, .run = op_global},
    [0x93] = {"STACK_GLOBAL", .run = op_stack_global, .number = PICKLE_TEXT},
    ['R'] = {"REDUCE", .run = op_reduce},
    ['b'] = {"BUILD", .run = op_build},
    [0x80] = {"PROTO", BYTES, .run = op_proto, .number = 1},
    [0x95] = {"FRAME", BYTES, .run = op_frame, .number = 8},
    ['o'] = {"OBJ", .refused = makes_object},
    ['i'] = {"INST", .refused = makes_object},
    [0x81] = {"NEWOBJ", .refused = makes_object},
    [0x92] = {"NEWOBJ_EX", .refused = makes_object},
    ['P'] = {"PERSID", .refused = makes_object},
    ['Q'] = {"BINPERSID", .refused = makes_object},
    [0x82] = {"EXT1", .refused = makes_object},
    [0x83] = {"EXT2", .refused = makes_object},
    [0x84] = {"EXT4", .refused = makes_object},
    [0x97] = {"NEXT_BUFFER", .refused = out_of_band},
    [0x98] = {"READONLY_BUFFER", .refused = out_of_band},
    ['S'] = {"STRING", .refused = too_old},
    ['V'] = {"UNICODE", .refused = too_old},
    ['L'] = {"LONG", .refused = too_old},
    ['F'] = {"FLOAT", .refused = too_old},
    ['p'] = {"PUT", .refused = too_old},
    ['g'] = {"GET", .refused = too_old},
};

/* ---- Running ---- */

static void run_op(struct pickle_machine *m, uint8_t code)
{
    const struct op *op = &ops[code];
    if (!op->name)
        pickle_fail(m, "0x%02x is no opcode of a pickle", code);
    if (!op->run)
        pickle_fail(m, "opcode %s %s", op->name, op->refused);
    op->run(m, op->number);
}

struct pickle_value *pickle_run(struct pickle_machine *m)
{
    size_t size = (size_t)(m->end - m->at);
    if (size == 0 || *m->at != 0x80)
        pickle_fail(m, "no pickle of protocol 2 to 5%s", size ? "" : ": the file is empty");
    pickle_memo_find(m);
    for (;;) {
        m->offset = size - (size_t)(m->end - m->at);
        uint8_t code = *pickle_read(m, 1);
        if (code == '.')
            break;
        run_op(m, code);
        pickle_decide(m);
    }
    struct pickle_value *root = pickle_pop(m);
    if (root->scratch) /* it ends inside of what is passed over */
        pickle_missed(m);
    return root;
}

/* False: the bytes end in it. */
static bool pass_number(const uint8_t **at, const uint8_t *end, size_t width, uint64_t *number)
{
    if ((size_t)(end - *at) < width)
        return false;
    *number = pickle_unsigned_at(*at, width);
    *at += width;
    return true;
}

static bool pass_line(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *line_end = memchr(*at, '\n', (size_t)(end - *at));
    if (line_end)
        *at = line_end + 1;
    return line_end;
}

static bool pass_argument(const struct op *op, const uint8_t **at, const uint8_t *end,
                          uint64_t *number)
{
    switch (op->argument) {
    case BYTES:
        return pass_number(at, end, op->number, number);
    case COUNTED:
        if (!pass_number(at, end, op->number, number) || *number > (uint64_t)(end - *at))
            return false;
        *at += *number;
        return true;
    case LINE:
        return pass_line(at, end);
    case LINES:
        return pass_line(at, end) && pass_line(at, end);
    default:
        return true;
    }
}

int pickle_next_op(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
    if (*at == end)
        return -1;
    uint8_t code = *(*at)++;
    const struct op *op = &ops[code];
    return op->run && pass_argument(op, at, end, number) ? code : -1;
}
