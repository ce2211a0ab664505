/* Reading tab-separated files. */
#include "common/data/tsv.h"
#include "common/stream/utf8.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void release(void *memory)
{
    struct tsv *t = memory;
    free(t->text);
    free(t->head);
    if (t->stream && t->stream != stdin)
        fclose(t->stream);
}

/* Reads a line into *text, without its end; false at the end of the file. */
static bool read_line(struct tsv *t, char **text, size_t *room)
{
    errno = 0;
    ssize_t length = getline(text, room, t->stream);
    if (length < 0 && !feof(t->stream))
        msa_fail_errno(t->m, "cannot read '%s'", t->path);
    if (length < 0)
        return false;
    t->line++;
    if (strlen(*text) != (size_t)length || !utf8_valid(*text, (size_t)length))
        msa_fail(t->m, MSA_CORRUPT, "%s: line %zu: not text in UTF-8", t->path, t->line);
    (*text)[strcspn(*text, "\r\n")] = '\0';
    return true;
}

static int cut(const struct tsv *t, char *text, char *cells[TSV_COLUMNS])
{
    int count = 0;
    for (char *rest = text; rest; count++) {
        if (count == TSV_COLUMNS)
            msa_fail(t->m, MSA_CORRUPT, "%s: line %zu: more than %d columns", t->path, t->line,
                     TSV_COLUMNS);
        cells[count] = strsep(&rest, "\t");
    }
    return count;
}

struct tsv *tsv_open(struct msa *m, const char *path)
{
    struct tsv *t = msa_alloc(m, sizeof *t);
    size_t room = 0;
    *t = (struct tsv){.m = m, .path = strcmp(path, "-") == 0 ? "stdin" : path};
    msa_at_free(t, release);
    t->stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!t->stream)
        msa_fail_errno(m, "cannot read '%s'", path);
    if (!read_line(t, &t->head, &room))
        msa_fail(m, MSA_CORRUPT, "%s: empty: expected a line of column names", t->path);
    t->count = cut(t, t->head, t->names);
    return t;
}

bool tsv_next(struct tsv *t)
{
    do
        if (!read_line(t, &t->text, &t->room))
            return false;
    while (!t->text[0]);
    int count = cut(t, t->text, t->cells);
    if (count != t->count)
        msa_fail(t->m, MSA_CORRUPT, "%s: line %zu: %d cells but expected %d, as line 1 has",
                 t->path, t->line, count, t->count);
    return true;
}

int tsv_find(const struct tsv *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->names[i], name) == 0)
            return i;
    return -1;
}

int tsv_column(const struct tsv *t, const char *name)
{
    int i = tsv_find(t, name);
    if (i < 0)
        msa_fail(t->m, MSA_CORRUPT, "%s: line 1: no column '%s'", t->path, name);
    return i;
}

float tsv_number(const struct tsv *t, int column)
{
    const char *cell = t->cells[column];
    char *end;
    float number = strtof(cell, &end);
    bool decimal = *cell && !cell[strspn(cell, "+-.0123456789eE")];
    if (decimal && end != cell && !*end && isfinite(number))
        return number;
    bool shown = utf8_printable(cell, strlen(cell));
    msa_fail(t->m, MSA_CORRUPT, "%s: line %zu, column '%s': '%.40s' is not a number", t->path,
             t->line, t->names[column], shown ? cell : "?");
}

void tsv_close(struct tsv *t)
{
    msa_free(t->m, t);
}
