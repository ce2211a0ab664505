/* Vocabularies. */
#include "common/text/vocab.h"
#include "common/run/content.h"
#include "common/run/line_reader.h"
#include "common/run/utf8.h"

#include <stdlib.h>
#include <string.h>

const char *const vocab_specials[TOKEN_SPECIALS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static int compare_tokens(const void *a, const void *b)
{
    const struct vocab_token *one = a, *other = b;
    size_t least = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->text, other->text, least);
    return order ? order : (one->length > other->length) - (one->length < other->length);
}

/* Those that are equal stand in the order of their lines. */
static int compare_lines(const void *a, const void *b)
{
    const struct vocab_token *one = a, *other = b;
    int order = compare_tokens(one, other);
    return order ? order : one->id < other->id ? -1 : 1;
}

/* The token of a line; empty lines are missed when one comes that is none: they may stand at the
 * end. */
static void take_token(struct msa *m, struct vocab *v, const char *path, const char *line,
                       size_t length, size_t number)
{
    if (!length)
        return;
    size_t id = v->count++;
    if (id + 1 != number)
        msa_fail(m, MSA_CORRUPT, "%s: line %zu: empty but expected a token", path, id + 1);
    if (!utf8_valid(line, length))
        msa_fail(m, MSA_CORRUPT, "%s: line %zu: not text in UTF-8", path, number);
    v->tokens[id] = (struct vocab_token){(const uint8_t *)line, length, id};
}

static size_t count_lines(struct mapping map)
{
    size_t lines = map.size && map.bytes[map.size - 1] != '\n';
    for (size_t i = 0; i < map.size; i++)
        lines += map.bytes[i] == '\n';
    return lines;
}

static void read_lines(struct msa *m, struct vocab *v, const char *path)
{
    struct lines_left left = lines_of(m, path, v->map.bytes, v->map.size);
    size_t length;
    v->tokens = msa_calloc(m, count_lines(v->map), sizeof *v->tokens);
    for (const char *line; (line = lines_cut(&left, &length));)
        take_token(m, v, path, line, length, left.number);
}

static void check_unique(struct msa *m, const struct vocab *v, const char *path)
{
    for (size_t i = 1; i < v->count; i++) {
        const struct vocab_token *one = &v->tokens[i - 1], *other = one + 1;
        if (compare_tokens(one, other) == 0)
            msa_fail(m, MSA_CORRUPT, "%s: line %zu: '%.*s' again, as in line %zu", path,
                     other->id + 1, (int)one->length, (const char *)one->text, one->id + 1);
    }
}

/* What else beside a BERT may be taken for its vocabulary. */
static bool is_json(const struct vocab *v)
{
    return v->map.size && v->map.bytes[0] == '{';
}

static void find_specials(struct msa *m, struct vocab *v, const char *path)
{
    for (int i = 0; i < TOKEN_SPECIALS; i++) {
        v->special[i] = vocab_find(v, vocab_specials[i], strlen(vocab_specials[i]));
        if (v->special[i] < 0 && i != TOKEN_MASK)
            msa_fail(m, MSA_CORRUPT, "%s: none of its %zu lines is '%s'%s", path, v->count,
                     vocab_specials[i], is_json(v) ? ": JSON but expected a token a line" : "");
    }
}

struct vocab *vocab_open(struct msa *m, const char *path)
{
    struct vocab *v = msa_alloc(m, sizeof *v);
    content_expect(m, path, CONTENT_OTHER, "a vocabulary, a token a line, as BERT's vocab.txt");
    v->map = mapping_of(m, path);
    read_lines(m, v, path);
    if (v->count)
        qsort(v->tokens, v->count, sizeof *v->tokens, compare_lines);
    find_specials(m, v, path);
    check_unique(m, v, path);
    return v;
}

int64_t vocab_find(const struct vocab *v, const void *text, size_t length)
{
    struct vocab_token key = {text, length, 0};
    const struct vocab_token *found =
        v->count ? bsearch(&key, v->tokens, v->count, sizeof key, compare_tokens) : NULL;
    return found ? (int64_t)found->id : -1;
}
