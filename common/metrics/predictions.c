/* Files of predictions. */
#include "common/metrics/predictions.h"
#include "common/formats/tsv.h"
#include "common/run/utf8.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

/* --- what is said of a sample: cells in the order of the columns --- */

enum { ID, SPLIT, LABEL, PREDICTION, CLASS, PROBABILITY, FEATURE, COLUMNS = FEATURE + FEATURES };

struct cell {
    enum { CELL_EMPTY, CELL_TEXT, CELL_NUMBER } kind;
    const char *text;
    double number;
};

/* The name of column i, of that length. */
static const char *column_name(int i, size_t *length)
{
    const char *name = PREDICTIONS_HEAD;
    for (; i > 0; i--)
        name = strchr(name, '\t') + 1;
    *length = strcspn(name, "\t\n");
    return name;
}

static struct cell of_text(const char *text)
{
    return (struct cell){CELL_TEXT, text, 0};
}

static struct cell of_number(double number)
{
    return (struct cell){CELL_NUMBER, NULL, number};
}

/* Ids are anybody's text: what would break the line becomes '?'. msa_free it. */
static char *sample_id(struct msa *m, const struct record *r, const char *split, size_t i,
                       size_t number)
{
    const value *ids = value_get(&r->map, record_texts[RECORD_ID]);
    if (!ids)
        return msa_format(m, "%s/%zu", split, number);
    const msgpack_object_str *given = &ids->via.array.ptr[i].via.str;
    char *id = msa_strndup(m, given->ptr, given->size);
    utf8_clean(id, given->size);
    for (char *c = id; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    return id;
}

/* The class of the largest of C logits, and its softmax; nothing where one of them is no number. */
static void put_class(const struct predictions *x, struct cell *cells, const struct tensor *logits,
                      size_t i, char number[24])
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
    cells[CLASS] = of_text(name ? name : number);
    cells[PROBABILITY] = of_number(1 / sum);
}

static void put_features(const struct predictions *x, struct cell *cells, const struct tensor *u,
                         size_t i)
{
    for (int k = 0; k < x->features.count; k++)
        cells[FEATURE + x->features.which[k]] =
            of_number(tensor_value(u, i * u->shape[1] + (size_t)k));
}

/* --- writing --- */

static void write_tsv(FILE *to, const struct cell cells[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        const struct cell *c = &cells[i];
        fputs(i ? "\t" : "", to);
        if (c->kind == CELL_TEXT)
            fputs(c->text, to);
        else if (c->kind == CELL_NUMBER)
            fprintf(to, isnan(c->number) ? "nan" : "%.9g", c->number);
    }
    fputc('\n', to);
}

static json_t *json_cell(const struct cell *c)
{
    if (c->kind == CELL_TEXT)
        return json_string(c->text);
    return isfinite(c->number) ? json_real(c->number) : json_null();
}

static void write_json(struct msa *m, FILE *to, const struct cell cells[COLUMNS])
{
    json_t *row = json_object();
    bool failed = false;
    for (int i = 0; i < COLUMNS; i++) {
        size_t length;
        const char *name = column_name(i, &length);
        if (cells[i].kind != CELL_EMPTY)
            failed |= json_object_setn_new(row, name, length, json_cell(&cells[i])) != 0;
    }
    failed = failed || json_dumpf(row, to, JSON_REAL_PRECISION(9)) != 0;
    json_decref(row);
    if (failed && !ferror(to))
        msa_fail(m, MSA_FAILED, "not enough memory for predictions as JSON");
    fputc('\n', to);
}

/* `u` has a column for each feature that arrives; one of another width is not ours to name. */
static void find_features(struct predictions *x, const struct header *h)
{
    x->features = features_find(x->m, &h->schema);
    x->u = schema_floats(x->m, &h->schema, "u", 2);
    if (x->u && x->u->shape[1] != (size_t)x->features.count)
        x->u = NULL;
}

struct predictions *predictions_create(struct msa *m, const char *path, bool json,
                                       const struct header *h, int family)
{
    struct predictions *x = msa_alloc(m, sizeof *x);
    *x = (struct predictions){.m = m, .to = stdout, .json = json, .family = family};
    x->logits = schema_floats(m, &h->schema, "logits", 2);
    find_features(x, h);
    if (path) {
        x->file = file_create(m, path);
        x->to = file_stream(m, x->file);
    }
    fputs(json ? "" : PREDICTIONS_HEAD, x->to);
    return x;
}

static void write_sample(const struct predictions *x, const struct cell cells[COLUMNS])
{
    if (x->json)
        write_json(x->m, x->to, cells);
    else
        write_tsv(x->to, cells);
}

static const char what[] = "predictions";

void predictions_write(const struct predictions *x, const struct scores *s,
                       const struct scores_split *p, const struct record *r)
{
    const struct tensor *logits = x->logits ? record_promised(r, x->logits) : NULL;
    const struct tensor *u = x->u ? record_promised(r, x->u) : NULL;
    for (size_t i = 0; i < r->samples; i++) {
        size_t at = p->samples - r->samples + i;
        char *id = sample_id(x->m, r, p->name, i, at), number[24];
        struct cell cells[COLUMNS] = {[ID] = of_text(id),
                                      [SPLIT] = of_text(p->name),
                                      [PREDICTION] = of_number((double)p->prediction[at])};
        if (s->labelled)
            cells[LABEL] = of_number((double)p->label[at]);
        if (logits)
            put_class(x, cells, logits, i, number);
        if (u)
            put_features(x, cells, u, i);
        write_sample(x, cells);
        if (!x->file) /* which says itself what is wrong, when it is committed */
            msa_written(x->m, x->to, what);
        msa_free(x->m, id);
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
        scores_add(s, scores_split(s, split < 0 ? "all" : t->cells[split]),
                   tsv_number(t, prediction), tsv_number(t, label));
    tsv_close(t);
}
