/* The file of a pickle, and looking into its values. */
#include "common/formats/pickle/machine.h"
#include "common/run/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Errors ---- */

enum { LINE = 512 };

static _Noreturn void fail_at(const struct pickle_machine *m, const char *where, const char *line)
{
    msa_fail(m->pickle.m, MSA_CORRUPT, "%s: byte %zu: %s%s", m->pickle.path, m->offset, where,
             line);
}

_Noreturn void pickle_fail(const struct pickle_machine *m, const char *format, ...)
{
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fail_at(m, "", line);
}

_Noreturn void pickle_fail_limit(const struct pickle_machine *m, const char *format, ...)
{
    char line[LINE], where[PICKLE_WHERE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    pickle_where(m, where);
    fail_at(m, where, line);
}

const char *pickle_printable(char text[64], const uint8_t *bytes, size_t length)
{
    size_t n = length < 64 ? length : 63;
    memcpy(text, bytes, n);
    text[n] = '\0';
    utf8_clean(text, n); /* of zeros, which would end it */
    utf8_show(text);
    return text;
}

/* ---- The file ---- */

static void forget(struct pickle_machine *machine)
{
    struct msa *m = machine->pickle.m;
    msa_free(m, machine->values.items);
    msa_free(m, machine->places.items);
    msa_free(m, machine->marks.items);
    pickle_memo_free(machine);
    machine->values = machine->places = machine->marks = (struct pickle_stack){0};
}

static void read_all(void *closure)
{
    struct pickle_machine *machine = closure;
    struct pickle *p = &machine->pickle;
    machine->at = p->map.bytes;
    machine->end = p->map.bytes + p->map.size;
    p->root = pickle_run(machine);
    forget(machine);
}

static void begin_again(struct pickle_machine *machine, pickle_used_fn *used)
{
    forget(machine);
    pickle_arenas_free(machine);
    machine->value_count = machine->floor = 0;
    machine->used = used;
    machine->passing = false;
    msa_forgive(machine->pickle.m);
}

/* What was passed over is fetched elsewhere: nothing is passed over, or, where there is too much of
 * it and what is used does not need it, the same again. */
static void read_again(struct pickle_machine *machine, bool needed)
{
    struct msa *m = machine->pickle.m;
    pickle_used_fn *used = machine->used;
    begin_again(machine, NULL);
    if (msa_try(m, read_all, machine))
        return;
    if (needed)
        msa_fail(m, m->status, "%s", m->error);
    begin_again(machine, used);
    read_all(machine);
}

static const char as_text[] =
    " (each line feed in it follows a carriage return: it seems to have been copied as text)";

/* Did something put a carriage return before each line feed at its beginning? */
static bool copied_as_text(struct mapping map)
{
    enum { START = 1 << 16, LINES = 4 };
    size_t lines = 0, size = map.size < START ? map.size : START;
    for (size_t i = 1; i < size; i++) {
        if (map.bytes[i] == '\n' && map.bytes[i - 1] != '\r')
            return false;
        lines += map.bytes[i] == '\n';
    }
    return lines >= LINES;
}

struct pickle *pickle_open(struct msa *m, const char *path, struct mapping map,
                           pickle_used_fn *used, void *closure)
{
    struct pickle_machine *machine = msa_alloc(m, sizeof *machine);
    struct pickle *p = &machine->pickle;
    p->m = m;
    p->path = path;
    p->map = map;
    if (p->map.size == 0)
        msa_fail(m, MSA_CORRUPT, "%s: the file is empty", path);
    machine->used = used;
    machine->closure = closure;
    machine->passed_over = (struct pickle_other){.value.kind = PICKLE_OTHER, .what = OTHER_PASSED};
    bool read = msa_try(m, read_all, machine);
    if (machine->missed)
        read_again(machine, !read);
    else if (!read)
        msa_fail(m, m->status, "%s%s", m->error, copied_as_text(p->map) ? as_text : "");
    return p;
}

void pickle_close(struct pickle *p)
{
    struct pickle_machine *machine = (struct pickle_machine *)p;
    pickle_arenas_free(machine);
    mapping_close(p->m, p->map);
    msa_free(p->m, machine);
}

/* ---- Looking ---- */

const char *pickle_kind_name(enum pickle_kind kind)
{
    static const char *const names[PICKLE_KINDS] = {
        [PICKLE_NONE] = "None",   [PICKLE_BOOL] = "bool", [PICKLE_INT] = "int",
        [PICKLE_REAL] = "float",  [PICKLE_TEXT] = "str",  [PICKLE_BYTES] = "bytes",
        [PICKLE_LIST] = "list",   [PICKLE_DICT] = "dict", [PICKLE_ARRAY] = "ndarray",
        [PICKLE_OTHER] = "object"};
    return names[kind];
}

double pickle_real(const struct pickle_value *v)
{
    if (v->kind == PICKLE_REAL)
        return v->real;
    return v->above ? (double)(uint64_t)v->integer : (double)v->integer;
}

/* Python 2 writes its str as bytes. */
static bool is_text(const struct pickle_value *v, const char *text, size_t length)
{
    return (v->kind == PICKLE_TEXT || v->kind == PICKLE_BYTES) && v->length == length &&
           memcmp(v->bytes, text, length) == 0;
}

const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    size_t length = strlen(key);
    for (size_t i = pickle_kept(dict); i-- > 0;) /* as in Python, the last of equal keys counts */
        if (is_text(dict->items[2 * i], key, length))
            return dict->items[2 * i + 1];
    return NULL;
}
