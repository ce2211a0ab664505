/* A text, word by word. */
#include "common/text/words.h"

#include <utf8proc.h>

struct words words_of(const char *text, size_t size, bool cased)
{
    const uint8_t *at = (const uint8_t *)text;
    return (struct words){.at = at, .end = at + size, .cased = cased};
}

/* ---- Characters ---- */

static void push(struct words *w, int32_t c)
{
    w->ready[w->count++] = c;
}

static void push_plain(struct words *w, int32_t c)
{
    int32_t parts[LETTER_PARTS];
    int count = letter_decompose(c, parts);
    for (int i = 0; i < count; i++)
        if (letter_kind(parts[i]) != LETTER_ACCENT)
            push(w, letter_lower(parts[i]));
}

/* Reads one character; nothing is ready where it is dropped. */
static void read_character(struct words *w)
{
    int32_t c = 0;
    utf8proc_ssize_t size = utf8proc_iterate(w->at, w->end - w->at, &c);
    enum letter_kind kind = size > 0 ? letter_kind(c) : LETTER_DROPPED;
    bool apart = letter_is_chinese(c);
    w->at += size > 0 ? size : 1;
    w->count = w->next = 0;
    if (kind == LETTER_DROPPED)
        return;
    if (apart)
        push(w, ' ');
    if (w->cased || kind == LETTER_SPACE)
        push(w, kind == LETTER_SPACE ? ' ' : c);
    else
        push_plain(w, c);
    if (apart)
        push(w, ' ');
}

static bool is_ready(struct words *w)
{
    while (w->next == w->count && w->at < w->end)
        read_character(w);
    return w->next < w->count;
}

/* ---- Words ---- */

/* Marks that were not dropped are put in canonical order, as NFD has them. */
static void append(struct word *word, int32_t c, bool ordered)
{
    size_t at = word->count++;
    int class = ordered ? letter_class(c) : 0;
    if (at >= WORD_LETTERS)
        return;
    for (; class && at && letter_class(word->letters[at - 1]) > class; at--)
        word->letters[at] = word->letters[at - 1];
    word->letters[at] = c;
}

bool words_next(struct words *w, struct word *word)
{
    word->count = 0;
    while (is_ready(w)) {
        int32_t c = w->ready[w->next];
        enum letter_kind kind = letter_kind(c);
        bool splits = kind == LETTER_SPACE || kind == LETTER_PUNCTUATION;
        if (splits && word->count)
            break; /* it comes next */
        w->next++;
        if (kind != LETTER_SPACE)
            append(word, c, !w->cased);
        if (kind == LETTER_PUNCTUATION)
            break;
    }
    return word->count > 0;
}
