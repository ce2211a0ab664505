/* WordPiece, and the special tokens around it. */
#include "common/text/tokenizer.h"
#include "common/text/words.h"

#include <string.h>
#include <utf8proc.h>

/* The ids of a text so far; what has no room is left out. */
struct ids {
    int64_t *at;
    size_t count, room;
};

static void put(struct ids *ids, int64_t id)
{
    if (ids->count < ids->room)
        ids->at[ids->count++] = id;
}

/* ---- Words ---- */

/* Where a piece that does not begin its word is looked for, "##" stands before it: over the end of
 * the piece before, and over these bytes. */
enum { MARK = 2, WORD_BYTES = MARK + 4 * WORD_LETTERS };

static size_t encode(const struct word *word, uint8_t text[WORD_BYTES])
{
    size_t end = MARK;
    for (size_t i = 0; i < word->count; i++)
        end += (size_t)utf8proc_encode_char(word->letters[i], text + end);
    return end;
}

/* The longest piece that begins at `start`; returns where it ends, `start` where there is none. */
static size_t longest(const struct vocab *v, uint8_t *text, size_t start, size_t end, int64_t *id)
{
    size_t from = start > MARK ? start - MARK : start;
    if (start > MARK)
        memcpy(text + from, "##", MARK);
    for (size_t stop = end; stop > start; stop--) {
        bool whole = stop == end || (text[stop] & 0xc0) != 0x80;
        if (whole && (*id = vocab_find(v, text + from, stop - from)) >= 0)
            return stop;
    }
    return start;
}

/* As pieces that the vocabulary has, or as one [UNK]. */
static void put_word(const struct tokenizer *t, struct ids *ids, const struct word *word)
{
    uint8_t text[WORD_BYTES];
    int64_t pieces[WORD_LETTERS];
    size_t count = 0, start = MARK, end = word->count > WORD_LETTERS ? 0 : encode(word, text);
    while (start < end) {
        size_t stop = longest(t->vocab, text, start, end, &pieces[count]);
        if (stop == start)
            break;
        count++;
        start = stop;
    }
    if (start != end)
        put(ids, t->vocab->special[TOKEN_UNK]);
    for (size_t i = 0; start == end && i < count; i++)
        put(ids, pieces[i]);
}

static void put_words(const struct tokenizer *t, struct ids *ids, const char *text, size_t size)
{
    struct words words = words_of(text, size, t->cased);
    struct word word;
    while (ids->count < ids->room && words_next(&words, &word))
        put_word(t, ids, &word);
}

/* ---- Texts ---- */

/* The special token whose name the text begins with; -1: none. */
static int special_at(const struct vocab *v, const char *text, size_t size)
{
    for (int i = 0; i < TOKEN_SPECIALS; i++) {
        size_t length = strlen(vocab_specials[i]);
        if (v->special[i] >= 0 && length <= size && memcmp(text, vocab_specials[i], length) == 0)
            return i;
    }
    return -1;
}

/* How much of the text stands before the first special token, which this finds; -1: all of it. */
static size_t before_special(const struct vocab *v, const char *text, size_t size, int *special)
{
    const char *at = text, *end = text + size;
    *special = -1;
    while ((at = memchr(at, '[', (size_t)(end - at)))) {
        *special = special_at(v, at, (size_t)(end - at));
        if (*special >= 0)
            return (size_t)(at - text);
        at++;
    }
    return size;
}

static void put_text(const struct tokenizer *t, struct ids *ids, const char *text, size_t size)
{
    while (size && ids->count < ids->room) {
        int special;
        size_t before = before_special(t->vocab, text, size, &special);
        put_words(t, ids, text, before);
        if (special >= 0) {
            put(ids, t->vocab->special[special]);
            before += strlen(vocab_specials[special]);
        }
        text += before;
        size -= before;
    }
}

void tokenizer_row(const struct tokenizer *t, const char *text, size_t size, int64_t *out)
{
    struct ids ids = {.at = out, .room = t->length - 1};
    put(&ids, t->vocab->special[TOKEN_CLS]);
    put_text(t, &ids, text, size);
    ids.room++;
    put(&ids, t->vocab->special[TOKEN_SEP]);
    for (size_t i = 0; i < t->length; i++) {
        if (i >= ids.count)
            out[i] = t->vocab->special[TOKEN_PAD];
        out[t->length + i] = i < ids.count;
        out[2 * t->length + i] = 0;
    }
}
