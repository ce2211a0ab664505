/* Comparing tokens with what a vocabulary gives. */
#include "common/text/agreement.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 8, LETTERS = 60 };

/* The ids of a row int64 [3,L] that are no padding, into `ids` [L], without the [SEP] at their end;
 * how many. */
static size_t words_of_row(const struct tokenizer *t, const int64_t *row, int64_t *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < t->length; i++)
        if (row[t->length + i])
            ids[count++] = row[i];
    return count - (count && ids[count - 1] == t->vocab->special[TOKEN_SEP]);
}

/* Where one ends before the other, the text was cut off there; `made` has at least as much room as
 * any, [SEP] apart. */
static bool agree(const int64_t *made, size_t m, const int64_t *found, size_t f, size_t length)
{
    size_t common = m < f ? m : f;
    bool cut = m + 1 >= length;
    return memcmp(made, found, common * sizeof *made) == 0 && (common > 1 || m == f) &&
           (f <= m || cut);
}

static void put_ids(FILE *to, const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count && i < SHOWN; i++)
        fprintf(to, "%s%jd", i ? " " : "", (intmax_t)ids[i]);
    if (count > SHOWN)
        fputs(" ...", to);
    if (!count)
        fputs("nothing", to);
}

/* "'I loved it.' is 101 1045 3866, but text_bert has 101 7". */
static char *difference(struct msa *m, const msgpack_object_str *said, const int64_t *made,
                        size_t made_count, const int64_t *found, size_t found_count)
{
    char text[1024] = "";
    int letters = (int)said->size;
    if (letters > LETTERS)
        for (letters = LETTERS; letters > 0 && (said->ptr[letters] & 0xc0) == 0x80;)
            letters--;
    FILE *to = fmemopen(text, sizeof text - 1, "w");
    if (!to)
        return msa_format(m, "%.*s", letters, said->ptr);
    fprintf(to, "'%.*s%s' is ", letters, said->ptr, letters < (int)said->size ? "..." : "");
    put_ids(to, made, made_count);
    fputs(", but text_bert has ", to);
    put_ids(to, found, found_count);
    fclose(to);
    return msa_strndup(m, text, strlen(text));
}

static void add_sample(struct agreement *a, struct msa *m, const struct tokenizer *t,
                       const msgpack_object_str *said, const void *row)
{
    int64_t *made_row = msa_calloc(m, 8 * t->length, sizeof *made_row),
            *found_row = made_row + 3 * t->length, *made = found_row + 3 * t->length,
            *found = made + t->length;
    tokenizer_row(t, said->ptr, said->size, made_row);
    memcpy(found_row, row, 3 * t->length * sizeof *found_row);
    size_t made_count = words_of_row(t, made_row, made),
           found_count = words_of_row(t, found_row, found);
    a->compared++;
    if (!agree(made, made_count, found, found_count, t->length)) {
        a->differing++;
        if (!a->first)
            a->first = difference(m, said, made, made_count, found, found_count);
    }
    msa_free(m, made_row);
}

void agreement_add(struct agreement *a, struct tokenizer t, const struct record *r, size_t most)
{
    const value *said = value_get(&r->map, record_texts[RECORD_RAW_TEXT]);
    const struct tensor *there = record_find(r, "text_bert");
    if (!said || !there || there->dtype != I8 || there->rank != 3 || there->shape[1] != 3 ||
        there->shape[2] < 2)
        return;
    t.length = there->shape[2];
    for (size_t i = 0; i < r->samples && a->compared < most; i++) {
        const msgpack_object_str *text = &said->via.array.ptr[i].via.str;
        size_t bytes = 3 * t.length * sizeof(int64_t);
        if (text->size)
            add_sample(a, r->m, &t, text, (const uint8_t *)there->data + i * bytes);
    }
}
