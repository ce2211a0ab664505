/* Rows of scores. */
#include "common/metrics/scores_print.h"
#include "common/run/json.h"
#include <math.h>
#include <string.h>

/* ---- Columns ---- */

static bool has_column(const struct scores_columns *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

static void add(struct scores_columns *c, const char *name)
{
    if (c->count < SCORES_COLUMNS && !has_column(c, name))
        c->names[c->count++] = name;
}

static void add_metrics(struct scores_columns *c, const struct scores *s)
{
    for (const char *const *key = metrics_keys(s->family); s->labelled && *key; key++)
        add(c, *key);
}

/* The losses of any split that have no column yet. */
static void add_losses(struct scores_columns *c, const struct scores *s)
{
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < s->splits[i].loss_count; k++)
            add(c, s->splits[i].losses[k].name);
}

struct scores_columns scores_columns_result(const struct scores *s)
{
    struct scores_columns c = {.count = 2, .names = {"split", "samples"}};
    add_metrics(&c, s);
    add_losses(&c, s);
    return c;
}

struct scores_columns scores_columns_log(const struct scores *s, const struct tasks *tasks)
{
    struct scores_columns c = {.count = 3, .names = {"epoch", "split", "samples"}};
    for (int i = 0; i < tasks->count; i++)
        add(&c, tasks->names[i]);
    add_metrics(&c, s);
    return c;
}

struct scores_columns scores_columns_progress(const struct scores *s)
{
    struct scores_columns c = {.count = 3, .names = {"epoch", "split", "samples"}};
    double ignored;
    for (int i = 0; i < s->count; i++)
        if (scores_value(s, &s->splits[i], "loss", &ignored))
            add(&c, "loss");
    add_metrics(&c, s);
    return c;
}

/* ---- Cells ---- */

enum { CELL = TENSOR_NAME + 1 };

static void number_text(char text[CELL], double number, int digits, bool fixed)
{
    if (isnan(number))
        strcpy(text, "nan");
    else if (fixed && fabs(number) < 1e6)
        snprintf(text, CELL, "%.*f", digits, number);
    else
        snprintf(text, CELL, "%.*g", digits, number);
}

/* "" where there is no value. */
static const char *cell(char text[CELL], const struct scores *s, const struct scores_split *p,
                        const char *column, int digits, bool fixed)
{
    double number;
    text[0] = '\0';
    if (strcmp(column, "split") == 0)
        strcpy(text, p->name);
    else if (strcmp(column, "epoch") == 0)
        snprintf(text, CELL, "%jd", (intmax_t)p->epoch);
    else if (strcmp(column, "samples") == 0)
        snprintf(text, CELL, "%zu", p->samples);
    else if (scores_value(s, p, column, &number))
        number_text(text, number, digits, fixed);
    return text;
}

/* ---- Rows ---- */

static int width_of(const struct scores *s, const char *column)
{
    size_t width = strlen(column);
    if (strcmp(column, "split") == 0)
        for (int i = 0; i < s->count; i++)
            width = strlen(s->splits[i].name) > width ? strlen(s->splits[i].name) : width;
    else if (width < 7 && strcmp(column, "epoch") != 0)
        width = 7;
    return (int)width;
}

void scores_table(FILE *to, const struct scores *s, const struct scores_split *p,
                  const struct scores_columns *columns)
{
    char text[CELL];
    for (int i = 0; i < columns->count; i++) {
        const char *name = columns->names[i], *shown = p ? cell(text, s, p, name, 4, true) : name;
        int width = width_of(s, name);
        fprintf(to, "%s%*s", i ? "  " : "", strcmp(name, "split") == 0 ? -width : width,
                *shown ? shown : "-");
    }
}

const char *scores_tsv(char line[SCORES_LINE], const struct scores *s, const struct scores_split *p,
                       const struct scores_columns *columns)
{
    char text[CELL];
    size_t used = 0;
    for (int i = 0; i < columns->count; i++) {
        const char *name = columns->names[i];
        used += (size_t)snprintf(line + used, SCORES_LINE - used, "%s%s", i ? "\t" : "",
                                 p ? cell(text, s, p, name, 9, false) : name);
    }
    return line;
}

static json_t *json_cell(const struct scores *s, const struct scores_split *p, const char *column)
{
    double number = NAN;
    if (strcmp(column, "split") == 0)
        return json_string(p->name);
    if (strcmp(column, "epoch") == 0)
        return json_integer(p->epoch);
    if (strcmp(column, "samples") == 0)
        return json_integer((json_int_t)p->samples);
    scores_value(s, p, column, &number);
    return isfinite(number) ? json_real(number) : json_null();
}

void scores_json(FILE *to, const struct scores *s, const struct scores_split *p,
                 const struct scores_columns *columns)
{
    json_t *row = json_object();
    char text[CELL];
    bool failed = false;
    for (int i = 0; i < columns->count; i++) {
        const char *name = columns->names[i];
        if (*cell(text, s, p, name, 9, false))
            failed |= json_object_set_new(row, name, json_cell(s, p, name)) != 0;
    }
    failed = failed || !json_print(row, to, JSON_REAL_PRECISION(9));
    json_decref(row);
    if (failed)
        msa_fail(s->m, MSA_FAILED, "cannot write scores as JSON: no memory, or no room");
    fputc('\n', to);
}

static void print_row(FILE *to, const struct scores *s, const struct scores_split *p,
                      const struct scores_columns *columns, enum scores_format format)
{
    char line[SCORES_LINE];
    if (format == SCORES_JSON) {
        scores_json(to, s, p, columns);
    } else if (format == SCORES_TSV) {
        fprintf(to, "%s\n", scores_tsv(line, s, p, columns));
    } else {
        scores_table(to, s, p, columns);
        fputc('\n', to);
    }
}

void scores_print(FILE *to, const struct scores *s, enum scores_format format)
{
    struct scores_columns columns = scores_columns_result(s);
    if (format != SCORES_JSON)
        print_row(to, s, NULL, &columns, format);
    for (int i = 0; i < s->count; i++)
        print_row(to, s, &s->splits[i], &columns, format);
}

struct control scores_message(const struct scores *s, const struct scores_split *p)
{
    struct control c = control_new(s->m);
    value losses = value_map(), metrics = value_map();
    const char *const *keys = metrics_keys(s->family);
    double number;
    for (int i = 0; i < p->loss_count; i++)
        if (scores_value(s, p, p->losses[i].name, &number))
            value_set(s->m, c.zone, &losses, p->losses[i].name, value_of_real(number));
    for (int i = 0; s->labelled && keys[i]; i++)
        value_set(s->m, c.zone, &metrics, keys[i], value_of_real(p->metrics[i]));
    value_set(s->m, c.zone, &c.map, "epoch", value_of_int(p->epoch));
    value_set(s->m, c.zone, &c.map, "split", value_str(s->m, c.zone, p->name));
    value_set(s->m, c.zone, &c.map, "samples", value_of_int((int64_t)p->samples));
    value_set(s->m, c.zone, &c.map, "loss", losses);
    value_set(s->m, c.zone, &c.map, "metrics", metrics);
    return c;
}
