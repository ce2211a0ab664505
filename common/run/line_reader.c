/* Lines of text. */
#include "common/run/line_reader.h"
#include "common/run/content.h"

#include <string.h>

/* ---- What all text is ---- */

size_t lines_mark(struct msa *m, const char *path, const void *text, size_t length)
{
    static const struct {
        const char *encoding; /* NULL: the one that is read */
        size_t length;
        const char *bytes;
    } marks[] = {
        {NULL, 3, "\xef\xbb\xbf"},     {"UTF-32", 4, "\xff\xfe\0"}, /* with the literal's own 0 */
        {"UTF-32", 4, "\0\0\xfe\xff"}, {"UTF-16", 2, "\xff\xfe"},   {"UTF-16", 2, "\xfe\xff"},
    };
    const char *other = content_no_text(text, length);
    if (other)
        msa_fail(m, MSA_CORRUPT, "%s: %s but expected text", path, other);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (length < marks[i].length || memcmp(text, marks[i].bytes, marks[i].length) != 0)
            continue;
        if (marks[i].encoding)
            msa_fail(m, MSA_CORRUPT, "%s: text in %s but expected UTF-8", path, marks[i].encoding);
        return marks[i].length;
    }
    return 0;
}

static size_t without_cr(const char *line, size_t length)
{
    return length - (length && line[length - 1] == '\r');
}

/* ---- From a file ---- */

static void release(void *memory)
{
    struct lines *l = memory;
    if (l->stream && l->stream != stdin)
        fclose(l->stream);
}

struct lines *lines_open(struct msa *m, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct lines *l = msa_alloc(m, sizeof *l);
    l->m = m;
    l->path = is_stdin ? "stdin" : path;
    msa_at_free(l, release);
    content_expect(m, is_stdin ? "/dev/stdin" : path, CONTENT_OTHER, "text");
    l->stream = is_stdin ? stdin : fopen(path, "re");
    if (!l->stream)
        msa_fail_errno(m, "cannot read '%s'", path);
    return l;
}

/* Up to its LF, or the end of the file; whether there is one. */
static bool read_line(struct lines *l, size_t *length)
{
    size_t n = 0;
    int c;
    while ((c = getc_unlocked(l->stream)) != EOF && c != '\n') {
        if (n == LINE_MOST)
            msa_fail(l->m, MSA_CORRUPT, "%s: line %zu: longer than %d bytes", l->path,
                     l->number + 1, LINE_MOST);
        l->text[n++] = (char)c;
    }
    if (ferror(l->stream))
        msa_fail_errno(l->m, "cannot read '%s'", l->path);
    *length = n;
    return n || c != EOF;
}

char *lines_next(struct lines *l, size_t *length)
{
    size_t end;
    if (!read_line(l, &end))
        return NULL;
    size_t begin = l->number ? 0 : lines_mark(l->m, l->path, l->text, end);
    if (begin && begin == end && feof(l->stream)) /* a mark alone */
        return NULL;
    l->number++;
    *length = without_cr(l->text + begin, end - begin);
    l->text[begin + *length] = '\0';
    return l->text + begin;
}

/* ---- In memory ---- */

struct lines_left lines_of(struct msa *m, const char *path, const void *text, size_t length)
{
    const char *at = text;
    if (!length)
        return (struct lines_left){0};
    return (struct lines_left){.at = at + lines_mark(m, path, text, length), .end = at + length};
}

const char *lines_cut(struct lines_left *l, size_t *length)
{
    const char *line = l->at;
    if (line == l->end)
        return NULL;
    const char *end = memchr(line, '\n', (size_t)(l->end - line));
    l->at = end ? end + 1 : l->end;
    l->number++;
    *length = without_cr(line, (size_t)((end ? end : l->end) - line));
    return line;
}
