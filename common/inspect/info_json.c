/* What is in a data set, as one JSON object. */
#include "common/inspect/info.h"
#include "common/run/json.h"
#include "common/run/utf8.h"

#include <math.h>
#include <string.h>

/* Adds a member and gives it back; it belongs to the object, which belongs to the run. */
static json_t *add(struct msa *m, json_t *object, const char *key, json_t *member)
{
    if (json_object_set_new(object, key, member) != 0)
        msa_fail(m, MSA_FAILED, "out of memory");
    return member;
}

static void add_count(struct msa *m, json_t *object, const char *key, size_t n)
{
    add(m, object, key, json_integer((json_int_t)n));
}

static void add_number(struct msa *m, json_t *object, const char *key, double x)
{
    add(m, object, key, isfinite(x) ? json_real(x) : json_null());
}

/* Text from outside; jansson takes UTF-8 alone. NULL: there is none. */
static void add_text(struct msa *m, json_t *object, const char *key, const char *text)
{
    char *clean = text ? msa_strndup(m, text, strlen(text)) : NULL;
    if (clean)
        utf8_clean(clean, strlen(clean));
    add(m, object, key, clean ? json_string(clean) : json_null());
    msa_free(m, clean);
}

static void add_key(struct msa *m, json_t *keys, const struct info_key *key, int split)
{
    const struct info_array *a = &key->in[split];
    if (!a->dtype[0])
        return;
    json_t *one = add(m, keys, key->key, json_object());
    add_text(m, one, "dtype", a->dtype);
    json_t *shape = add(m, one, "shape", json_array());
    for (int i = 0; i < a->rank; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)a->shape[i])) != 0)
            msa_fail(m, MSA_FAILED, "out of memory");
    add_text(m, one, "tensor", key->becomes);
}

static void add_label(const struct info *info, json_t *label, const struct info_label *l)
{
    struct msa *m = info->data->m;
    add_number(m, label, "min", l->least);
    add_number(m, label, "mean", l->mean);
    add_number(m, label, "max", l->most);
    json_t *histogram = add(m, label, "histogram", json_object());
    for (int i = 0; i < info->class_count; i++)
        add_count(m, histogram, info->class_names[i], l->classes[i]);
}

static void add_lengths(struct msa *m, json_t *tensor, const struct info_lengths *l)
{
    char name[8];
    add_count(m, tensor, "padding", l->padding);
    json_t *lengths = add(m, tensor, "lengths", json_object());
    add_count(m, lengths, "min", l->least);
    for (int i = 0; i < INFO_SHARES; i++) {
        snprintf(name, sizeof name, "p%d", info_shares[i]);
        add_count(m, lengths, name, l->shares[i]);
    }
    add_count(m, lengths, "max", l->most);
}

/* What is known of a tensor: values that are not finite, and of labels and frames more. */
static void add_tensor(const struct info *info, json_t *tensors, int split, int tensor)
{
    struct msa *m = info->data->m;
    const struct info_tensor *t = &info->tensors[split][tensor];
    json_t *one = add(m, tensors, info->data->schema.entries[tensor].name, json_object());
    if (dataset_is_label(info->data, tensor))
        add_label(info, one, &t->label);
    add_count(m, one, "non_finite", t->nan + t->plus + t->minus);
    add_count(m, one, "nan", t->nan);
    add_count(m, one, "inf", t->plus);
    add_count(m, one, "minus_inf", t->minus);
    if (info_has_lengths(info, tensor))
        add_lengths(m, one, &t->lengths);
}

static void add_split(const struct info *info, json_t *splits, int split)
{
    struct msa *m = info->data->m;
    json_t *one = add(m, splits, split_names[split], json_object());
    add_count(m, one, "samples", info->data->split[split].count);
    add_count(m, one, "duplicate_ids", info->duplicates[split]);
    json_t *keys = add(m, one, "keys", json_object());
    for (int i = 0; i < info->key_count; i++)
        add_key(m, keys, &info->keys[i], split);
    json_t *tensors = add(m, one, "tensors", json_object());
    for (int i = 0; i < info->data->schema.count; i++)
        add_tensor(info, tensors, split, i);
}

void info_json(const struct info *info, FILE *to)
{
    struct msa *m = info->data->m;
    json_t **root = json_holder(m), *all = *root = json_object();
    add_text(m, all, "file", info->data->path);
    add_text(m, all, "format", info->data->format->name);
    add_text(m, all, "family", info->family < 0 ? NULL : family_names[info->family]);
    add_number(m, all, "range", info->family < 0 ? NAN : family_range((enum family)info->family));
    json_t *splits = add(m, all, "splits", json_object());
    for (int i = 0; i < SPLITS; i++)
        if (info->shown[i])
            add_split(info, splits, i);
    if (info->keys_left_out)
        add_count(m, all, "keys_left_out", info->keys_left_out);
    if (!json_print(all, to, JSON_REAL_PRECISION(9)) && !ferror(to))
        msa_fail(m, MSA_FAILED, "out of memory");
    fputc('\n', to);
    msa_free(m, root);
}
