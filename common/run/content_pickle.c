/* Pickles of protocols 0 and 1. */
#include "common/run/content.h"

#include <ctype.h>
#include <string.h>

/* What stands after an opcode */
enum argument {
    NOTHING,
    NUMBER = -1, /* a line of one */
    QUOTED = -2, /* a line in quotes */
    LINE = -3,   /* any line */
    NAMES = -4,  /* two lines: a module, and a name in it */
    COUNTED1 = -5,
    COUNTED4 = -6, /* that many bytes, after their number */
};                 /* and above 0: that many bytes */

/* What it takes from the stack, above the last mark or in numbers, and puts there */
static const struct opcode {
    char code;
    int argument;
    bool to_mark;
    int takes, puts;
} opcodes[] = {
    {'N', NOTHING, false, 0, 1},  {'I', NUMBER, false, 0, 1},   {'L', NUMBER, false, 0, 1},
    {'F', NUMBER, false, 0, 1},   {'S', QUOTED, false, 0, 1},   {'V', LINE, false, 0, 1},
    {'K', 1, false, 0, 1},        {'M', 2, false, 0, 1},        {'J', 4, false, 0, 1},
    {'G', 8, false, 0, 1},        {'U', COUNTED1, false, 0, 1}, {'T', COUNTED4, false, 0, 1},
    {'X', COUNTED4, false, 0, 1}, {'c', NAMES, false, 0, 1},    {'g', NUMBER, false, 0, 1},
    {'h', 1, false, 0, 1},        {'j', 4, false, 0, 1},        {')', NOTHING, false, 0, 1},
    {']', NOTHING, false, 0, 1},  {'}', NOTHING, false, 0, 1},  {'2', NOTHING, false, 1, 2},
    {'0', NOTHING, false, 1, 0},  {'1', NOTHING, true, 0, 0},   {'t', NOTHING, true, 0, 1},
    {'l', NOTHING, true, 0, 1},   {'d', NOTHING, true, 0, 1},   {'o', NOTHING, true, 0, 1},
    {'i', NAMES, true, 0, 1},     {'e', NOTHING, true, 1, 1},   {'u', NOTHING, true, 1, 1},
    {'a', NOTHING, false, 2, 1},  {'s', NOTHING, false, 3, 1},  {'b', NOTHING, false, 2, 1},
    {'R', NOTHING, false, 2, 1},  {'p', NUMBER, false, 1, 1},   {'q', 1, false, 1, 1},
    {'r', 4, false, 1, 1},
};

/* Bytes that are left; at == end: there are no more, or none are known. */
struct scan {
    const uint8_t *at, *end;
    uint64_t after; /* bytes of the file that are not known */
    bool good;
};

static void skip(struct scan *s, size_t bytes)
{
    size_t left = (size_t)(s->end - s->at);
    s->at += bytes < left ? bytes : left;
}

static bool is_name(int c)
{
    return c == '.' || c == '_' || isalnum(c);
}

static bool is_number(int c)
{
    return c && strchr("0123456789.-+eLinfa", c); /* 1L, -1e+300, nan */
}

/* A line of such characters, at least one where that is asked for. */
static void skip_line(struct scan *s, bool (*allowed)(int c))
{
    const uint8_t *from = s->at;
    for (; s->at < s->end && *s->at != '\n'; s->at++)
        s->good = s->good && (!allowed || allowed(*s->at));
    s->good = s->good && (!allowed || s->at > from || s->at == s->end);
    skip(s, 1);
}

static void skip_counted(struct scan *s, size_t width)
{
    size_t count = 0;
    if ((size_t)(s->end - s->at) >= width)
        for (size_t i = width; i-- > 0;)
            count = count << 8 | s->at[i];
    skip(s, width);
    s->good = s->good && count <= (uint64_t)(s->end - s->at) + s->after;
    skip(s, count);
}

static void skip_argument(struct scan *s, int argument)
{
    if (argument == NUMBER || argument == NAMES)
        skip_line(s, argument == NUMBER ? is_number : is_name);
    if (argument == QUOTED)
        s->good = s->good && (s->at == s->end || *s->at == '\'' || *s->at == '"');
    if (argument == QUOTED || argument == LINE)
        skip_line(s, NULL);
    if (argument == NAMES)
        skip_line(s, is_name);
    if (argument == COUNTED1 || argument == COUNTED4)
        skip_counted(s, argument == COUNTED1 ? 1 : 4);
    if (argument > 0)
        skip(s, (size_t)argument);
}

static const struct opcode *opcode_of(uint8_t byte)
{
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (opcodes[i].code == (char)byte)
            return &opcodes[i];
    return NULL;
}

/* Text may use the letters of opcodes, but hardly so that they leave one value. */
bool content_is_old_pickle(const uint8_t *start, size_t size, uint64_t length, uint8_t last)
{
    enum { DEEPEST = 64 };
    struct scan s = {start, start + size, length - size, last == '.'};
    int depth = 0, marks[DEEPEST], marked = 0;
    while (s.good && s.at < s.end) {
        uint8_t byte = *s.at++;
        const struct opcode *o = opcode_of(byte);
        if (byte == '.')
            return depth == 1 && !marked && s.at == s.end;
        if (byte == '(' && marked < DEEPEST)
            marks[marked++] = depth;
        if (byte == '(')
            continue;
        if (!o || (o->to_mark && !marked))
            return false;
        if (o->to_mark)
            depth = marks[--marked];
        int floor = marked ? marks[marked - 1] : 0;
        if (depth - o->takes < floor)
            return false;
        depth += o->puts - o->takes;
        skip_argument(&s, o->argument);
    }
    return s.good && s.after && (depth > 1 || marked);
}
