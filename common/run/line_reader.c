/* Lines of text. */
#include "common/run/line_reader.h"

#include <string.h>

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
    l->stream = is_stdin ? stdin : fopen(path, "re");
    if (!l->stream)
        msa_fail_errno(m, "cannot read '%s'", path);
    return l;
}

char *lines_next(struct lines *l, size_t *length)
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
    if (c == EOF && !n)
        return NULL;
    n -= n && l->text[n - 1] == '\r';
    l->text[n] = '\0';
    l->number++;
    *length = n;
    return l->text;
}
