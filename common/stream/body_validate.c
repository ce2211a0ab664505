/* The bounded walk over a body before anything is made of it.
 *
 * msgpack-c unpacks an array of four billion items as soon as five bytes ask for it. So every body
 * is first walked here, byte by byte, in constant memory: what passes can be unpacked, shown and
 * passed on without another look. */
#include "common/stream/body_validate.h"
#include "common/run/utf8.h"

#include <stdio.h>
#include <string.h>

enum kind { SCALAR, STR, BIN, ARRAY, MAP, EXT, UNUSED };

/* One value's head; `bytes` are those of a str or bin, `size` is their number, or that of the
 * items. */
struct token {
    enum kind kind;
    size_t size;
    const uint8_t *bytes;
};

/* A container that is being walked. */
struct level {
    bool map, key; /* is a map; the next value is a key */
    size_t left;   /* values still to come */
    size_t keys;
    struct {
        const uint8_t *bytes;
        size_t size;
    } key_seen[BODY_PAIRS];
};

struct walk {
    const uint8_t *at, *end;
    size_t objects;
    int depth;
    char *text;
    struct level levels[BODY_DEPTH];
};

#define COMPLAIN(w, ...) (snprintf((w)->text, 256, __VA_ARGS__), (w)->text)

/* The heads c0 to df: what they begin, and the bytes of their number (of a scalar: its own). */
static const struct form {
    uint8_t kind, width;
} forms[32] = {{SCALAR, 0}, {UNUSED, 0}, {SCALAR, 0}, {SCALAR, 0}, {BIN, 1},    {BIN, 2},
               {BIN, 4},    {EXT, 0},    {EXT, 0},    {EXT, 0},    {SCALAR, 4}, {SCALAR, 8},
               {SCALAR, 1}, {SCALAR, 2}, {SCALAR, 4}, {SCALAR, 8}, {SCALAR, 1}, {SCALAR, 2},
               {SCALAR, 4}, {SCALAR, 8}, {EXT, 0},    {EXT, 0},    {EXT, 0},    {EXT, 0},
               {EXT, 0},    {STR, 1},    {STR, 2},    {STR, 4},    {ARRAY, 2},  {ARRAY, 4},
               {MAP, 2},    {MAP, 4}};

/* Reads a head of `first` byte with its number; false when the body ends inside of it. */
static bool head(struct walk *w, struct token *t, uint8_t first)
{
    if (first < 0x80 || first >= 0xe0) {
        *t = (struct token){.kind = SCALAR};
    } else if (first < 0xc0) {
        enum kind kind = first < 0x90 ? MAP : first < 0xa0 ? ARRAY : STR;
        *t = (struct token){.kind = kind, .size = first & (kind == STR ? 31 : 15)};
    } else {
        struct form form = forms[first - 0xc0];
        *t = (struct token){.kind = form.kind};
        if ((size_t)(w->end - w->at) < form.width)
            return false;
        for (int i = 0; i < form.width; i++)
            t->size = t->size << 8 | *w->at++;
        if (t->kind == SCALAR)
            t->size = 0;
    }
    return true;
}

static const char *next_token(struct walk *w, struct token *t)
{
    if (++w->objects > BODY_OBJECTS)
        return COMPLAIN(w, "more than %d values", BODY_OBJECTS);
    if (w->at == w->end || !head(w, t, *w->at++))
        return COMPLAIN(w, "ends inside of a value");
    if (t->kind == EXT || t->kind == UNUSED)
        return COMPLAIN(w, t->kind == EXT ? "an extension type" : "byte c1, which begins no value");
    t->bytes = w->at;
    if (t->kind == STR || t->kind == BIN) {
        if (t->size > (size_t)(w->end - w->at))
            return COMPLAIN(w, "a %s of %zu bytes, but %td are left",
                            t->kind == STR ? "str" : "bin", t->size, w->end - w->at);
        w->at += t->size;
        if (t->kind == STR && !utf8_valid(t->bytes, t->size))
            return COMPLAIN(w, "a str that is not UTF-8");
    }
    return NULL;
}

static const char *check_key(struct walk *w, struct level *level, const struct token *t)
{
    if (t->kind != STR && !(t->kind == BIN && w->depth > 1))
        return COMPLAIN(w, "a key that is not a str");
    if (t->size == 0 || t->size > BODY_KEY)
        return COMPLAIN(w, "a key of %zu bytes but expected 1 to %d", t->size, BODY_KEY);
    if (!utf8_printable(t->bytes, t->size))
        return COMPLAIN(w, "a key that is not printable UTF-8");
    for (size_t i = 0; i < level->keys; i++)
        if (level->key_seen[i].size == t->size &&
            memcmp(level->key_seen[i].bytes, t->bytes, t->size) == 0)
            return COMPLAIN(w, "key '%.*s' twice", (int)t->size, (const char *)t->bytes);
    level->key_seen[level->keys].bytes = t->bytes;
    level->key_seen[level->keys++].size = t->size;
    return NULL;
}

static const char *enter(struct walk *w, const struct token *t)
{
    if (w->depth == BODY_DEPTH)
        return COMPLAIN(w, "nested deeper than %d", BODY_DEPTH);
    if (t->kind == MAP && t->size > BODY_PAIRS)
        return COMPLAIN(w, "a map of %zu pairs but at most %d are allowed", t->size, BODY_PAIRS);
    struct level *level = &w->levels[w->depth++];
    level->map = level->key = t->kind == MAP;
    level->left = level->map ? 2 * t->size : t->size;
    level->keys = 0;
    return NULL;
}

static const char *step(struct walk *w)
{
    struct level *level = &w->levels[w->depth - 1];
    if (level->left == 0) {
        w->depth--;
        return NULL;
    }
    struct token t;
    const char *wrong = next_token(w, &t);
    if (wrong)
        return wrong;
    level->left--;
    if (level->map) {
        wrong = level->key ? check_key(w, level, &t) : NULL;
        level->key = !level->key;
    }
    if (!wrong && (t.kind == ARRAY || t.kind == MAP))
        wrong = enter(w, &t);
    return wrong;
}

const char *body_walk(const uint8_t *bytes, size_t length, char text[256])
{
    struct walk w;
    w.at = bytes;
    w.end = bytes + length;
    w.objects = 0;
    w.depth = 0;
    w.text = text;
    struct token t;
    const char *wrong = next_token(&w, &t);
    if (!wrong)
        wrong = t.kind == MAP ? enter(&w, &t) : COMPLAIN(&w, "not a map");
    while (!wrong && w.depth > 0)
        wrong = step(&w);
    if (!wrong && w.at != w.end)
        wrong = COMPLAIN(&w, "%td bytes behind the map", w.end - w.at);
    return wrong;
}
