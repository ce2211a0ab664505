/* What is in a data set, in tables. */
#include "common/data/info.h"
#include "common/stream/show.h"

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
    fprintf(to, "%s: a %s, ", d->path, d->format->name);
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
    show_clean(to, key, (size_t)length);
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

/* Which tensors a table is about, and the cells that it has of each. */
struct table {
    const char *name;
    bool (*has)(const struct info *info, int tensor);
    void (*head)(const struct info *info, FILE *to);
    void (*row)(const struct info *info, const struct info_tensor *t, int tensor, FILE *to);
};

static void print_table(const struct info *info, FILE *to, const struct table *table)
{
    const struct schema *schema = &info->data->schema;
    int width = (int)strlen(table->name), rows = 0;
    for (int i = 0; i < schema->count; i++)
        if (table->has(info, i))
            width = widest(width, schema->entries[i].name);
    for (int i = 0; i < schema->count; i++)
        for (int split = 0; split < SPLITS && table->has(info, i); split++) {
            if (!info->shown[split] || !info->data->split[split].count)
                continue;
            if (!rows++) {
                fprintf(to, "\n%-*s  split", width, table->name);
                table->head(info, to);
            }
            fprintf(to, "%-*s  %-5s", width, schema->entries[i].name, split_names[split]);
            table->row(info, &info->tensors[split][i], i, to);
            fputc('\n', to);
        }
}

static bool is_label(const struct info *info, int tensor)
{
    return dataset_is_label(info->data, tensor);
}

static void label_head(const struct info *info, FILE *to)
{
    fprintf(to, "      min     mean      max");
    for (int i = 0; i < info->class_count; i++)
        fprintf(to, "  %6s", info->class_names[i]);
    fputc('\n', to);
}

static void label_row(const struct info *info, const struct info_tensor *t, int tensor, FILE *to)
{
    (void)tensor;
    fprintf(to, "  %7.4f  %7.4f  %7.4f", t->label.least, t->label.mean, t->label.most);
    for (int i = 0; i < info->class_count; i++)
        fprintf(to, "  %*zu", widest(6, info->class_names[i]), t->label.classes[i]);
}

static void lengths_head(const struct info *info, FILE *to)
{
    (void)info;
    fprintf(to, "  frames  padding    min");
    for (int i = 0; i < INFO_SHARES; i++)
        fprintf(to, "    %2d%%", info_shares[i]);
    fprintf(to, "    max\n");
}

static void lengths_row(const struct info *info, const struct info_tensor *t, int tensor, FILE *to)
{
    size_t frames = info->data->schema.entries[tensor].shape[1];
    const struct info_lengths *l = &t->lengths;
    fprintf(to, "  %6zu  %7zu  %5zu", frames, l->padding, l->least);
    for (int i = 0; i < INFO_SHARES; i++)
        fprintf(to, "  %5zu", l->shares[i]);
    fprintf(to, "  %5zu", l->most);
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

static void finite_head(const struct info *info, FILE *to)
{
    (void)info;
    fprintf(to, "      nan      inf     -inf\n");
}

static void finite_row(const struct info *info, const struct info_tensor *t, int tensor, FILE *to)
{
    (void)info;
    (void)tensor;
    fprintf(to, "  %7zu  %7zu  %7zu", t->nan, t->plus, t->minus);
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
