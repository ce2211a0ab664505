/* Reading tab-separated files. */
#include "common/formats/tsv.h"
#include "common/run/sorted.h"
#include "common/run/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The next line, NULL at the end of the file. */
static char *read_line(struct tsv *t)
{
    size_t length;
    char *text = lines_next(t->lines, &length);
    if (text && (strlen(text) != length || !utf8_valid(text, length)))
        msa_fail(t->m, MSA_CORRUPT, "%s: line %zu: not text in UTF-8", t->path, t->lines->number);
    return text;
}

static int count_cells(const char *text)
{
    int count = 1;
    while ((text = strchr(text, '\t')))
        count++, text++;
    return count;
}

static void cut(char *text, char **cells)
{
    while (text)
        *cells++ = strsep(&text, "\t");
}

/* Columns without a name, of which nobody asks, may be many. */
static void check_names(const struct tsv *t)
{
    const char **named = msa_calloc(t->m, (size_t)t->count, sizeof *named);
    size_t count = 0;
    for (int i = 0; i < t->count; i++)
        if (*t->names[i])
            named[count++] = t->names[i];
    const char *twice = sorted_twice(named, count);
    if (twice)
        msa_fail(t->m, MSA_CORRUPT, "%s: line 1: two columns are called '%.40s'", t->path, twice);
    msa_free(t->m, named);
}

struct tsv *tsv_open(struct msa *m, const char *path)
{
    struct tsv *t = msa_alloc(m, sizeof *t);
    *t = (struct tsv){.m = m, .lines = lines_open(m, path)};
    t->path = t->lines->path;
    const char *head = read_line(t);
    if (!head)
        msa_fail(m, MSA_CORRUPT, "%s: empty: expected a line of column names", t->path);
    t->head = msa_strndup(m, head, strlen(head));
    t->count = count_cells(head);
    t->names = msa_calloc(m, (size_t)t->count, sizeof *t->names);
    t->cells = msa_calloc(m, (size_t)t->count, sizeof *t->cells);
    cut(t->head, t->names);
    check_names(t);
    return t;
}

bool tsv_next(struct tsv *t)
{
    char *text;
    do
        text = read_line(t);
    while (text && !*text);
    if (!text)
        return false;
    int count = count_cells(text);
    if (count != t->count)
        msa_fail(t->m, MSA_CORRUPT, "%s: line %zu: %d cells but expected %d, as line 1 has",
                 t->path, t->lines->number, count, t->count);
    cut(text, t->cells);
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

static bool is_word(const char *cell)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    const char *unsigned_part = cell + (*cell == '-' || *cell == '+');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(unsigned_part, words[i]) == 0)
            return true;
    return false;
}

float tsv_number(const struct tsv *t, int column)
{
    const char *cell = t->cells[column];
    char *end;
    float number = strtof(cell, &end);
    bool decimal = *cell && !cell[strspn(cell, "+-.0123456789eE")];
    if (is_word(cell) || (decimal && end != cell && !*end && isfinite(number)))
        return number;
    msa_fail(t->m, MSA_CORRUPT, "%s: line %zu, column '%s': '%.40s' is not a number", t->path,
             t->lines->number, t->names[column], cell);
}

const char *tsv_name(const struct tsv *t, int column)
{
    const char *cell = t->cells[column];
    if (!utf8_printable(cell, strlen(cell)))
        msa_fail(t->m, MSA_CORRUPT, "%s: line %zu, column '%s': '%.40s' is not printable", t->path,
                 t->lines->number, t->names[column], cell);
    return cell;
}

void tsv_close(struct tsv *t)
{
    msa_free(t->m, t->cells);
    msa_free(t->m, t->names);
    msa_free(t->m, t->head);
    msa_free(t->m, t->lines);
    msa_free(t->m, t);
}
