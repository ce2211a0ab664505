/* Text for BERT, piece by piece: lines, vocabularies, words, WordPiece. (That whole texts give what
 * Hugging Face's tokenizer makes of them: tests/tokenize.bats.) */
#include "common/run/line_reader.h"
#include "common/run/utf8.h"
#include "common/text/tokenizer.h"
#include "common/text/words.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>
#include <utf8proc.h>

/* A run over a file of these bytes; the run comes first, so that its address is that of both. */
struct job {
    struct msa m;
    char path[32];
    size_t count;   /* of what was read */
    char said[256]; /* it, in words */
};

static struct job run_file(const char *bytes, size_t size, void (*body)(struct msa *))
{
    struct job job = {.m.program = "test"};
    int fd = memfd_create("file", 0);
    assert_int_equal(write(fd, bytes, size), size);
    snprintf(job.path, sizeof job.path, "/proc/self/fd/%d", fd);
    msa_run(&job.m, body);
    close(fd);
    return job;
}

static void assert_refused(const struct job *job, const char *error)
{
    assert_int_equal(job->m.status, MSA_CORRUPT);
    if (!strstr(job->m.error, error) || !strstr(job->m.error, job->path))
        fail_msg("'%s' but expected '%s'", job->m.error, error);
}

/* ---- Lines ---- */

/* "(LENGTH TEXT)" of each. */
static void read_lines(struct msa *m)
{
    struct job *job = (struct job *)m;
    struct lines *l = lines_open(m, job->path);
    size_t length, used = 0;
    for (const char *line; (line = lines_next(l, &length)); job->count = l->number)
        used +=
            (size_t)snprintf(job->said + used, sizeof job->said - used, "(%zu %.9s)", length, line);
}

static void assert_lines(const char *bytes, size_t size, size_t count, const char *said)
{
    struct job job = run_file(bytes, size, read_lines);
    assert_int_equal(job.m.status, MSA_OK);
    assert_int_equal(job.count, count);
    assert_string_equal(job.said, said);
}

static void lines(void **state)
{
    (void)state;
    assert_lines("", 0, 0, "");
    assert_lines("a\n", 2, 1, "(1 a)");
    assert_lines("a\n\nbc", 5, 3, "(1 a)(0 )(2 bc)");
    assert_lines("a\r\n\r\nb\rc\r\r\n", 11, 3, "(1 a)(0 )(4 b\rc\r)");
    assert_lines("a\0b\n", 4, 1, "(3 a)");
    assert_lines("\n\n", 2, 2, "(0 )(0 )");
    assert_lines("\xef\xbb\xbf", 3, 0, "");
    assert_lines("\xef\xbb\xbf\r\n", 5, 1, "(0 )");
    assert_lines("\xef\xbb\xbf"
                 "a\n\xef\xbb\xbf",
                 8, 2, "(1 a)(3 \xef\xbb\xbf)");
    assert_lines("\xef\xbbz", 3, 1, "(3 \xef\xbbz)");
    char *large = calloc(1, LINE_MOST + 3);
    memset(large, 'x', LINE_MOST + 2);
    large[0] = '\n';
    large[LINE_MOST + 1] = '\n';
    assert_lines(large, LINE_MOST + 2, 2, "(0 )(1048576 xxxxxxxxx)");
    large[LINE_MOST + 1] = 'x';
    struct job job = run_file(large, LINE_MOST + 2, read_lines);
    assert_refused(&job, "line 2: longer than 1048576 bytes");
    free(large);
}

static void read_vocab(struct msa *m);

/* Text in another encoding, by its mark, and what is no text. */
static void no_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *error;
        size_t size;
    } cases[] = {
        {"\xff\xfe", "text in UTF-16 but expected UTF-8", 2},
        {"\xff\xfe"
         "a\0\n",
         "text in UTF-16 but expected UTF-8", 6},
        {"\xfe\xff\0a\0\n", "text in UTF-16 but expected UTF-8", 6},
        {"\xff\xfe\0\0a\0\0", "text in UTF-32 but expected UTF-8", 8},
        {"\0\0\xfe\xff\0\0\0a", "text in UTF-32 but expected UTF-8", 8},
        {"\x80\4\x95\0.", "a pickle but expected ", 5},
        {"\x1f\x8b\x8\0", "a gzip archive but expected ", 4},
        {"\2\0\0\0\0\0\0\0{}", "a safetensors file but expected ", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job job = run_file(cases[i].bytes, cases[i].size, read_lines);
        assert_refused(&job, cases[i].error);
        job = run_file(cases[i].bytes, cases[i].size, read_vocab);
        assert_refused(&job, cases[i].error);
    }
    assert_lines("BZh is no archive\n", 18, 1, "(17 BZh is no)");
    assert_lines("N.", 2, 1, "(2 N.)"); /* but a pickle of None, too */
}

/* ---- What was said ---- */

static void say(struct msa *m)
{
    assert_string_equal(utf8_said(m, "", 0), "");
    assert_string_equal(utf8_said(m, "aä", 3), "aä");
    assert_string_equal(utf8_said(m, "\0a\0\0b", 5), "\ufffda\ufffd\ufffdb");
    assert_string_equal(utf8_said(m, "a\xff\xe4\0\ufffd", 7), "a??\ufffd\ufffd");
}

static void said(void **state)
{
    (void)state;
    assert_int_equal(run_file("", 0, say).m.status, MSA_OK);
}

/* ---- Vocabularies ---- */

static void read_vocab(struct msa *m)
{
    struct job *job = (struct job *)m;
    job->count = vocab_open(m, job->path)->count;
}

#define SPECIALS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"

static void vocabularies(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error; /* NULL: it is as it should be */
        size_t count;
    } cases[] = {
        {SPECIALS, NULL, 4},
        {"[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nword", NULL, 5},
        {SPECIALS "a\nb\nä\n##a", NULL, 8},
        {"", "none of its 0 lines is '[PAD]'", 0},
        {"[PAD]\n[UNK]\n[CLS]\n[MASK]\nword\n", "none of its 5 lines is '[SEP]'", 0},
        {SPECIALS "one\n##s\none\n", "line 7: 'one' again, as in line 5", 0},
        {SPECIALS "\x1b\n\x1b\n", "line 6: '?' again, as in line 5", 0},
        {SPECIALS "[CLS]\n", "line 5: '[CLS]' again, as in line 3", 0},
        {"\xef\xbb\xbf" SPECIALS "word", NULL, 5},
        {SPECIALS "\n", NULL, 4},
        {SPECIALS "word\n\n\r\n\n", NULL, 5},
        {SPECIALS "\n\nword\n", "line 5: empty but expected a token", 0},
        {"\n" SPECIALS, "line 1: empty but expected a token", 0},
        {"\xef\xbb\xbf", "none of its 0 lines is '[PAD]'", 0},
        {"{\n}\n}\n", "none of its 3 lines is '[PAD]': JSON but expected a token a line", 0},
        {SPECIALS "a\n\r\nb", "line 6: empty but expected a token", 0},
        {SPECIALS "a\xff\n", "line 5: not text in UTF-8", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job job = run_file(cases[i].text, strlen(cases[i].text), read_vocab);
        if (cases[i].error)
            assert_refused(&job, cases[i].error);
        else
            assert_int_equal(job.m.status, MSA_OK);
        assert_int_equal(job.count, cases[i].count);
    }
}

static void find_tokens(struct msa *m)
{
    struct vocab *v = vocab_open(m, ((struct job *)m)->path);
    assert_int_equal(v->special[TOKEN_CLS], 2);
    assert_int_equal(v->special[TOKEN_MASK], -1);
    assert_int_equal(vocab_find(v, "a", 1), 4);
    assert_int_equal(vocab_find(v, "ab", 2), 6);
    assert_int_equal(vocab_find(v, "abc", 2), 6);
    assert_int_equal(vocab_find(v, "abc", 3), -1);
    assert_int_equal(vocab_find(v, "##a", 3), 5);
    assert_int_equal(vocab_find(v, "", 0), -1);
}

static void found_tokens(void **state)
{
    (void)state;
    static const char text[] = SPECIALS "a\n##a\nab\n";
    assert_int_equal(run_file(text, strlen(text), find_tokens).m.status, MSA_OK);
}

/* ---- Words ---- */

/* The words of a text, with | between them; one that is too long as the number of its letters. */
static void assert_words(const char *text, size_t size, bool cased, const char *expected)
{
    struct words w = words_of(text, size, cased);
    struct word word;
    char found[512] = "";
    size_t used = 0;
    while (words_next(&w, &word)) {
        if (used)
            found[used++] = '|';
        if (word.count > WORD_LETTERS)
            used += (size_t)snprintf(found + used, 16, "%zu", word.count);
        for (size_t i = 0; word.count <= WORD_LETTERS && i < word.count; i++)
            used += (size_t)utf8proc_encode_char(word.letters[i], (uint8_t *)found + used);
    }
    found[used] = '\0';
    if (strcmp(found, expected) != 0)
        fail_msg("'%s' becomes '%s' but expected '%s'", text, found, expected);
}

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *uncased, *cased;
    } cases[] = {
        {"", "", ""},
        {" \t\r\n\u00a0\u3000\u2028 ", "", ""},
        {"I loved it.", "i|loved|it|.", "I|loved|it|."},
        {"don't $5 a_b", "don|'|t|$|5|a|_|b", "don|'|t|$|5|a|_|b"},
        {"«Ça»—déjà…", "«|ca|»|—|deja|…", "«|Ça|»|—|déjà|…"},
        {"ΣΊΣΥΦΟΣ", "σισυφοσ", "ΣΊΣΥΦΟΣ"},
        {"İI ẞß", "ii|ßß", "İI|ẞß"},
        {"e\u0301\u0323x \u0301", "ex", "e\u0301\u0323x|\u0301"},
        {"각", "\u1100\u1161\u11a8", "각"},
        {"我爱a电影b", "我|爱|a|电|影|b", "我|爱|a|电|影|b"},
        {"か゛がー", "か゛かー", "か゛がー"},
        {"\uf900", "\u8c48", "\uf900"},
        {"\U0002b820\U0002b920", "\U0002b820|\U0002b920", "\U0002b820|\U0002b920"},
        {"a\u00adb\u200bc\ufeff \u200e \ufffd\ue000", "abc", "abc"},
        {"\u2126\u212b\u037e", "ωa|;", "\u2126\u212b|\u037e"},
        {"x\u302e\U0001d165", "x\U0001d165\u302e", "x\u302e\U0001d165"},
        {"a\u1df6\u2e43b \u0378", "a\u1df6\u2e43b|\u0378", "a\u1df6\u2e43b|\u0378"},
        {"a\x80z\xffy\xe4\xb8", "azy", "azy"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_words(cases[i].text, strlen(cases[i].text), false, cases[i].uncased);
        assert_words(cases[i].text, strlen(cases[i].text), true, cases[i].cased);
    }
    assert_words("a\0b\x01\x7f", 5, false, "ab");
}

static void long_words(void **state)
{
    (void)state;
    char text[3 * WORD_LETTERS + 4];
    memset(text, 'a', sizeof text);
    assert_words(text, WORD_LETTERS + 1, false, "101");
    text[WORD_LETTERS + 1] = '.';
    assert_words(text, WORD_LETTERS + 3, false, "101|.|a");
    text[WORD_LETTERS] = '\0';
    assert_words(text, WORD_LETTERS, false, text);
    for (size_t i = 0; i <= WORD_LETTERS; i++)
        memcpy(text + 3 * i, "a\u0301", 3);
    assert_words(text, 3 * WORD_LETTERS + 3, false, "101");
}

/* ---- WordPiece ---- */

static const char small[] = SPECIALS "[MASK]\nun\n##able\n##a\n##b\nb\nä\n.\n##believ\n##ä\n";

/* expected[length]: what is 0 there is padding. */
static void assert_row(const struct vocab *v, const char *text, size_t length,
                       const int64_t *expected)
{
    int64_t row[3 * 8];
    size_t count = 0;
    assert_true(length <= 8);
    while (count < length && expected[count])
        count++;
    tokenizer_row(&(struct tokenizer){v, length, true}, text, strlen(text), row);
    for (size_t i = 0; i < length; i++) {
        if (row[i] != expected[i])
            fail_msg("'%s': token %zu is %ld but expected %ld", text, i, (long)row[i],
                     (long)expected[i]);
        assert_int_equal(row[length + i], i < count);
        assert_int_equal(row[2 * length + i], 0);
    }
}

static void make_rows(struct msa *m)
{
    const struct vocab *v = vocab_open(m, ((struct job *)m)->path);
    static const struct {
        const char *text;
        int64_t row[8];
    } cases[] = {
        {"", {2, 3}},
        {"un", {2, 5, 3}},
        {"unable unbelievable", {2, 5, 6, 5, 12, 6, 3}},
        {"unaab b", {2, 5, 7, 7, 8, 9, 3}},
        {"unableX b", {2, 1, 9, 3}},
        {"bä.ä", {2, 9, 13, 11, 10, 3}},
        {"un[MASK]b[SEP]", {2, 5, 4, 9, 3, 3}},
        {"[[CLS]x[UNK]", {2, 1, 2, 1, 1, 3}},
        {"[sep]", {2, 1, 1, 1, 3}},
        {"b b b b b b b b", {2, 9, 9, 9, 9, 9, 9, 3}},
        {"b b b b b b [SEP]", {2, 9, 9, 9, 9, 9, 9, 3}},
        {"b b b b b unbelievable", {2, 9, 9, 9, 9, 9, 5, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_row(v, cases[i].text, 8, cases[i].row);
    assert_row(v, "b b", 2, (int64_t[]){2, 3});
    assert_row(v, "b b", 3, (int64_t[]){2, 9, 3});
}

static void rows(void **state)
{
    (void)state;
    struct job job = run_file(small, strlen(small), make_rows);
    assert_int_equal(job.m.status, MSA_OK);
}

static void make_rows_without_mask(struct msa *m)
{
    const struct vocab *v = vocab_open(m, ((struct job *)m)->path);
    assert_row(v, "[MASK]", 6, (int64_t[]){2, 1, 1, 1, 3, 0});
}

static void without_mask(void **state)
{
    (void)state;
    struct job job = run_file(SPECIALS, strlen(SPECIALS), make_rows_without_mask);
    assert_int_equal(job.m.status, MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),        cmocka_unit_test(no_text),
        cmocka_unit_test(said),         cmocka_unit_test(vocabularies),
        cmocka_unit_test(found_tokens), cmocka_unit_test(words),
        cmocka_unit_test(long_words),   cmocka_unit_test(rows),
        cmocka_unit_test(without_mask),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
