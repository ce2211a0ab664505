/* Files of predictions. */
#include "common/metrics/predictions.h"
#include "common/formats/tsv.h"
#include "common/run/json.h"
#include "common/run/sorted.h"
#include "common/run/utf8.h"
#include <math.h>
#include <string.h>

/* --- what is said of a sample: cells in the order of the columns --- */

enum { ID, SPLIT, LABEL, PREDICTION, CLASS, PROBABILITY, ALWAYS };
enum { MADE_ID = TENSOR_NAME + 24 };

struct cell {
    enum { CELL_EMPTY, CELL_TEXT, CELL_NUMBER } kind;
    const char *text;
    size_t length;
    double number;
};

static struct cell of_bytes(const char *text, size_t length)
{
    return (struct cell){CELL_TEXT, text, length, 0};
}

static struct cell of_text(const char *text)
{
    return of_bytes(text, strlen(text));
}

static struct cell of_number(double number)
{
    return (struct cell){CELL_NUMBER, NULL, 0, number};
}

/* The id of sample i; where there are none, its split and number, into `made`. */
static struct cell sample_id(const struct record *r, const char *split, size_t i, size_t number,
                             char made[MADE_ID])
{
    const value *ids = value_get(&r->map, record_texts[RECORD_ID]);
    if (ids) {
        const msgpack_object_str *given = &ids->via.array.ptr[i].via.str;
        return of_bytes(given->ptr, given->size);
    }
    snprintf(made, MADE_ID, "%s/%zu", split, number);
    return of_text(made);
}

/* The class of the largest of C logits, and its softmax; nothing where one of them is no number. */
static void put_class(const struct predictions *x, const struct tensor *logits, size_t i,
                      char number[24])
{
    int classes = (int)logits->shape[1], best = 0;
    size_t row = i * logits->shape[1];
    double sum = 0;
    for (int k = 1; k < classes; k++)
        if (tensor_value(logits, row + (size_t)k) > tensor_value(logits, row + (size_t)best))
            best = k;
    for (int k = 0; k < classes; k++)
        sum +=
            exp(tensor_value(logits, row + (size_t)k) - tensor_value(logits, row + (size_t)best));
    if (!isfinite(sum))
        return;
    const char *name = x->family < 0 ? NULL : class_name(best, classes, (enum family)x->family);
    snprintf(number, 24, "%d", best);
    x->cells[CLASS] = of_text(name ? name : number);
    x->cells[PROBABILITY] = of_number(1 / sum);
}

/* What each part says of the sample. */
static void put_parts(const struct predictions *x, const struct record *r, size_t i)
{
    struct cell *cell = x->cells + ALWAYS;
    for (int k = 0; k < x->part_count; k++) {
        const struct tensor *t = record_promised(r, x->parts[k].entry);
        for (size_t j = 0; j < x->parts[k].width; j++)
            *cell++ = of_number(tensor_value(t, i * x->parts[k].width + j));
    }
}

/* --- writing --- */

/* Ids are anybody's text: what is not shown is escaped, and so is the backslash of escapes, so that
 * two ids stay two. */
static void write_text(FILE *to, const char *text, size_t length)
{
    while (length) {
        const char *slash = memchr(text, '\\', length);
        size_t part = slash ? (size_t)(slash - text) : length;
        utf8_print_escaped(to, text, part);
        if (slash)
            fputs("\\\\", to);
        part += slash != NULL;
        text += part;
        length -= part;
    }
}

static void write_tsv(const struct predictions *x)
{
    for (size_t i = 0; i < x->count; i++) {
        const struct cell *c = &x->cells[i];
        fputs(i ? "\t" : "", x->to);
        if (c->kind == CELL_TEXT)
            write_text(x->to, c->text, c->length);
        else if (c->kind == CELL_NUMBER)
            fprintf(x->to, isnan(c->number) ? "nan" : "%.9g", c->number);
    }
    fputc('\n', x->to);
}

static json_t *json_cell(const struct cell *c)
{
    if (c->kind == CELL_TEXT)
        return json_stringn(c->text, c->length);
    return isfinite(c->number) ? json_real(c->number) : json_null();
}

static void write_json(const struct predictions *x)
{
    json_t *row = json_object();
    bool failed = false;
    for (size_t i = 0; i < x->count; i++)
        if (x->cells[i].kind != CELL_EMPTY)
            failed |= json_object_set_new(row, x->names[i], json_cell(&x->cells[i])) != 0;
    failed = failed || !json_print(row, x->to, JSON_REAL_PRECISION(9));
    json_decref(row);
    if (failed && !ferror(x->to))
        msa_fail(x->m, MSA_FAILED, "not enough memory for predictions as JSON");
    fputc('\n', x->to);
}

static void write_head(const struct predictions *x)
{
    for (size_t i = 0; i < x->count; i++)
        fprintf(x->to, "%s%s", i ? "\t" : "", x->names[i]);
    fputc('\n', x->to);
}

/* --- columns --- */

static void add_part(struct predictions *x, const struct schema_entry *e)
{
    size_t width = e->rank > 1 ? e->shape[1] : 1;
    x->parts[x->part_count++] = (struct predictions_part){e, width};
    x->count += width;
}

/* `u`, then every y_MODALITY. */
static void find_parts(struct predictions *x, const struct schema *schema)
{
    const struct schema_entry *u = schema_floats(x->m, schema, "u", 2);
    if (u)
        add_part(x, u);
    for (int i = 0; i < schema->count; i++) {
        const struct schema_entry *e = &schema->entries[i];
        if (strncmp(e->name, "y_", 2) == 0 && e->dtype == F4 && e->rank == 1)
            add_part(x, e);
    }
}

static const char *part_name(const struct predictions *x, const struct schema_entry *e, size_t i)
{
    if (e->rank == 1)
        return e->name;
    return e->columns ? e->columns[i] : msa_format(x->m, "%s.%zu", e->name, i + 1);
}

/* Names of tensors are all different: of two that are the same one at least is the schema's of `u`.
 */
static void check_names(const struct predictions *x)
{
    const char **sorted = msa_calloc(x->m, x->count, sizeof *sorted);
    memcpy(sorted, x->names, x->count * sizeof *sorted);
    const char *twice = sorted_twice(sorted, x->count);
    if (twice)
        msa_fail(x->m, MSA_CORRUPT,
                 "header: 'u': a column is called '%s', as another column of predictions", twice);
    msa_free(x->m, sorted);
}

static void name_columns(struct predictions *x)
{
    char *always = msa_strndup(x->m, PREDICTIONS_HEAD, strlen(PREDICTIONS_HEAD));
    const char **name = x->names = msa_calloc(x->m, x->count, sizeof *x->names);
    while (always)
        *name++ = strsep(&always, "\t");
    for (int k = 0; k < x->part_count; k++)
        for (size_t i = 0; i < x->parts[k].width; i++)
            *name++ = part_name(x, x->parts[k].entry, i);
    check_names(x);
}

struct predictions *predictions_create(struct msa *m, const char *path, bool json,
                                       const struct header *h, int family)
{
    struct predictions *x = msa_alloc(m, sizeof *x);
    *x =
        (struct predictions){.m = m, .to = stdout, .json = json, .family = family, .count = ALWAYS};
    x->logits = schema_floats(m, &h->schema, "logits", 2);
    find_parts(x, &h->schema);
    name_columns(x);
    x->cells = msa_calloc(m, x->count, sizeof *x->cells);
    if (path) {
        x->file = file_create(m, path);
        x->to = file_stream(m, x->file);
    }
    if (!json)
        write_head(x);
    return x;
}

static const char what[] = "predictions";

void predictions_write(const struct predictions *x, const struct scores *s,
                       const struct scores_split *p, const struct record *r)
{
    const struct tensor *logits = x->logits ? record_promised(r, x->logits) : NULL;
    for (size_t i = 0; i < r->samples; i++) {
        size_t at = p->samples - r->samples + i;
        char id[MADE_ID], number[24];
        memset(x->cells, 0, x->count * sizeof *x->cells);
        x->cells[ID] = sample_id(r, p->name, i, at, id);
        x->cells[SPLIT] = of_text(p->name);
        x->cells[PREDICTION] = of_number((double)p->prediction[at]);
        if (s->labelled)
            x->cells[LABEL] = of_number((double)p->label[at]);
        if (logits)
            put_class(x, logits, i, number);
        put_parts(x, r, i);
        if (x->json)
            write_json(x);
        else
            write_tsv(x);
        if (!x->file) /* which says itself what is wrong, when it is committed */
            msa_written(x->m, x->to, what);
    }
    if (!x->file)
        msa_flush(x->m, x->to, what);
}

void predictions_close(struct predictions *x)
{
    if (x->file)
        file_commit(x->m, x->file);
    msa_free(x->m, x);
}

/* --- reading --- */

void predictions_read(struct scores *s, const char *path)
{
    struct tsv *t = tsv_open(s->m, path);
    int label = tsv_column(t, "label"), prediction = tsv_column(t, "prediction");
    int split = tsv_find(t, "split");
    while (tsv_next(t))
        scores_add(s, scores_split(s, split < 0 ? "all" : tsv_name(t, split)),
                   tsv_number(t, prediction), tsv_number(t, label));
    tsv_close(t);
}
