/* What is in a data set, in tables. */
#include "common/inspect/info.h"
#include "common/run/utf8.h"

#include <math.h>
#include <string.h>

enum { CELL = 160, KEY = 40 };

static int widest(int width, const char *text)
{
    int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_head(const struct info *info, FILE *to)
{
    const struct dataset *d = info->data;
    utf8_print(to, d->path, strlen(d->path));
    fprintf(to, ": a %s, ", d->format->name);
    if (info->family >= 0)
        fprintf(to, "family %s (labels from %g to %g)\n", family_names[info->family],
                -family_range((enum family)info->family), family_range((enum family)info->family));
    else
        fprintf(to, "without labels\n");
    fprintf(to, "\nsplit  samples\n");
    for (int i = 0; i < SPLITS; i++) {
        if (!info->shown[i])
            continue;
        fprintf(to, "%-5s  %7zu", split_names[i], d->split[i].count);
        if (info->duplicates[i])
            fprintf(to, "  (%zu have the id of another)", info->duplicates[i]);
        fputc('\n', to);
    }
}

/* ---- Keys ---- */

static const char *array_text(char text[CELL], const struct info_array *a)
{
    char shape[128];
    snprintf(text, CELL, "%s%s%s", a->dtype[0] ? a->dtype : "-", a->rank ? " " : "",
             a->rank ? tensor_shape_text(shape, a->rank, a->shape) : "");
    return text;
}

static int column_width(const struct info *info, int split)
{
    char text[CELL];
    int width = (int)strlen(split_names[split]);
    for (int i = 0; i < info->key_count; i++)
        width = widest(width, array_text(text, &info->keys[i].in[split]));
    return width;
}

/* Keys are anybody's text. */
static void print_key(FILE *to, const char *key, int width)
{
    int length = (int)strnlen(key, KEY);
    utf8_print(to, key, (size_t)length);
    fprintf(to, "%*s", width - length, "");
}

static void print_keys(const struct info *info, FILE *to)
{
    char text[CELL];
    int key = 3, width[SPLITS];
    for (int i = 0; i < info->key_count; i++)
        key = widest(key, info->keys[i].key);
    key = key < KEY ? key : KEY;
    fprintf(to, "\n%-*s", key, "key");
    for (int i = 0; i < SPLITS; i++) {
        width[i] = column_width(info, i);
        if (info->shown[i])
            fprintf(to, "  %-*s", width[i], split_names[i]);
    }
    fprintf(to, "  tensor\n");
    for (int k = 0; k < info->key_count; k++) {
        const struct info_key *one = &info->keys[k];
        print_key(to, one->key, key);
        for (int i = 0; i < SPLITS; i++)
            if (info->shown[i])
                fprintf(to, "  %-*s", width[i], array_text(text, &one->in[i]));
        fprintf(to, "  %s\n", one->becomes ? one->becomes : "-");
    }
    if (info->keys_left_out)
        fprintf(to, "and %zu more\n", info->keys_left_out);
}

/* ---- Tables of tensors by split ---- */

enum { COLUMNS = 3 + INFO_CLASSES, NUMBER = 32 };

struct row {
    int count;
    char cells[COLUMNS][NUMBER];
};

/* Which tensors a table is about, and the cells that it has of each. */
struct table {
    const char *name;
    bool (*has)(const struct info *info, int tensor);
    void (*head)(const struct info *info, struct row *row);
    void (*row)(const struct info *info, const struct info_tensor *t, int tensor, struct row *row);
};

static void put_text(struct row *row, const char *text)
{
    snprintf(row->cells[row->count++], NUMBER, "%s", text);
}

static void put_count(struct row *row, size_t count)
{
    snprintf(row->cells[row->count++], NUMBER, "%zu", count);
}

static void put_number(struct row *row, double number)
{
    snprintf(row->cells[row->count++], NUMBER, fabs(number) < 1e6 ? "%.4f" : "%.4g", number);
}

/* Makes the row of a tensor in a split; false: it has none. */
static bool make_row(const struct info *info, const struct table *table, int tensor, int split,
                     struct row *row)
{
    row->count = 0;
    if (!table->has(info, tensor) || !info->shown[split] || !info->data->split[split].count)
        return false;
    table->row(info, &info->tensors[split][tensor], tensor, row);
    return true;
}

static void widen(int width[COLUMNS], const struct row *row)
{
    for (int i = 0; i < row->count; i++)
        width[i] = widest(width[i], row->cells[i]);
}

static void print_row(FILE *to, const struct row *row, const int width[COLUMNS])
{
    for (int i = 0; i < row->count; i++)
        fprintf(to, "  %*s", width[i], row->cells[i]);
    fputc('\n', to);
}

static void print_table(const struct info *info, FILE *to, const struct table *table)
{
    const struct schema *schema = &info->data->schema;
    int first = (int)strlen(table->name), width[COLUMNS] = {0};
    struct row head = {0}, row;
    bool any = false;
    table->head(info, &head);
    widen(width, &head);
    for (int i = 0; i < schema->count; i++)
        for (int split = 0; split < SPLITS; split++)
            if (make_row(info, table, i, split, &row)) {
                first = widest(first, schema->entries[i].name);
                widen(width, &row);
                any = true;
            }
    if (!any)
        return;
    fprintf(to, "\n%-*s  split", first, table->name);
    print_row(to, &head, width);
    for (int i = 0; i < schema->count; i++)
        for (int split = 0; split < SPLITS; split++)
            if (make_row(info, table, i, split, &row)) {
                fprintf(to, "%-*s  %-5s", first, schema->entries[i].name, split_names[split]);
                print_row(to, &row, width);
            }
}

static bool is_label(const struct info *info, int tensor)
{
    return dataset_is_label(info->data, tensor);
}

static void label_head(const struct info *info, struct row *row)
{
    put_text(row, "min");
    put_text(row, "mean");
    put_text(row, "max");
    for (int i = 0; i < info->class_count; i++)
        put_text(row, info->class_names[i]);
}

static void label_row(const struct info *info, const struct info_tensor *t, int tensor,
                      struct row *row)
{
    (void)tensor;
    put_number(row, t->label.least);
    put_number(row, t->label.mean);
    put_number(row, t->label.most);
    for (int i = 0; i < info->class_count; i++)
        put_count(row, t->label.classes[i]);
}

static void lengths_head(const struct info *info, struct row *row)
{
    (void)info;
    put_text(row, "frames");
    put_text(row, "padding");
    put_text(row, "min");
    for (int i = 0; i < INFO_SHARES; i++)
        snprintf(row->cells[row->count++], NUMBER, "%d%%", info_shares[i]);
    put_text(row, "max");
}

static void lengths_row(const struct info *info, const struct info_tensor *t, int tensor,
                        struct row *row)
{
    const struct info_lengths *l = &t->lengths;
    put_count(row, info->data->schema.entries[tensor].shape[1]);
    put_count(row, l->padding);
    put_count(row, l->least);
    for (int i = 0; i < INFO_SHARES; i++)
        put_count(row, l->shares[i]);
    put_count(row, l->most);
}

static bool is_not_finite(const struct info *info, int tensor)
{
    for (int split = 0; split < SPLITS; split++) {
        const struct info_tensor *t = &info->tensors[split][tensor];
        if (t->nan || t->plus || t->minus)
            return true;
    }
    return false;
}

static void finite_head(const struct info *info, struct row *row)
{
    (void)info;
    put_text(row, "nan");
    put_text(row, "inf");
    put_text(row, "-inf");
}

static void finite_row(const struct info *info, const struct info_tensor *t, int tensor,
                       struct row *row)
{
    (void)info;
    (void)tensor;
    put_count(row, t->nan);
    put_count(row, t->plus);
    put_count(row, t->minus);
}

void info_text(const struct info *info, FILE *to)
{
    static const struct table labels = {"label", is_label, label_head, label_row},
                              lengths = {"length", info_has_lengths, lengths_head, lengths_row},
                              finite = {"not finite", is_not_finite, finite_head, finite_row};
    bool all_finite = true;
    print_head(info, to);
    print_keys(info, to);
    print_table(info, to, &labels);
    print_table(info, to, &lengths);
    print_table(info, to, &finite);
    for (int i = 0; i < info->data->schema.count; i++)
        all_finite = all_finite && !is_not_finite(info, i);
    if (all_finite)
        fprintf(to, "\nall values are finite\n");
}
