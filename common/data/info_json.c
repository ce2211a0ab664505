/* What is in a data set, as one JSON object. */
#include "common/data/info.h"
#include "common/stream/utf8.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static json_t *count(size_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* Text from outside; jansson takes UTF-8 alone. */
static json_t *text_of(struct msa *m, const char *text)
{
    char *clean = msa_strndup(m, text, strlen(text));
    utf8_clean(clean, strlen(clean));
    json_t *string = json_string(clean);
    msa_free(m, clean);
    return string;
}

static json_t *keys_of(const struct info *info, int split)
{
    json_t *keys = json_object();
    for (int k = 0; k < info->key_count; k++) {
        const struct info_key *one = &info->keys[k];
        const struct info_array *a = &one->in[split];
        if (!a->dtype[0])
            continue;
        json_t *key = json_object(), *shape = json_array();
        for (int i = 0; i < a->rank; i++)
            json_array_append_new(shape, count(a->shape[i]));
        json_object_set_new(key, "dtype", json_string(a->dtype));
        json_object_set_new(key, "shape", shape);
        json_object_set_new(key, "tensor", one->becomes ? json_string(one->becomes) : json_null());
        json_object_set_new(keys, one->key, key);
    }
    return keys;
}

static json_t *label_of(const struct info *info, const struct info_label *l)
{
    json_t *label = json_object(), *histogram = json_object();
    json_object_set_new(label, "min", number(l->least));
    json_object_set_new(label, "mean", number(l->mean));
    json_object_set_new(label, "max", number(l->most));
    for (int i = 0; i < info->class_count; i++)
        json_object_set_new(histogram, info->class_names[i], count(l->classes[i]));
    json_object_set_new(label, "histogram", histogram);
    return label;
}

static json_t *lengths_of(const struct info_lengths *l)
{
    json_t *lengths = json_object();
    char name[8];
    json_object_set_new(lengths, "min", count(l->least));
    for (int i = 0; i < INFO_SHARES; i++) {
        snprintf(name, sizeof name, "p%d", info_shares[i]);
        json_object_set_new(lengths, name, count(l->shares[i]));
    }
    json_object_set_new(lengths, "max", count(l->most));
    return lengths;
}

/* What is known of each tensor: values that are not finite, and of labels and frames more. */
static json_t *tensors_of(const struct info *info, int split)
{
    json_t *tensors = json_object();
    for (int i = 0; i < info->data->schema.count; i++) {
        const struct info_tensor *t = &info->tensors[split][i];
        json_t *one = dataset_is_label(info->data, i) ? label_of(info, &t->label) : json_object();
        json_object_set_new(one, "non_finite", count(t->nan + t->plus + t->minus));
        json_object_set_new(one, "nan", count(t->nan));
        json_object_set_new(one, "inf", count(t->plus));
        json_object_set_new(one, "minus_inf", count(t->minus));
        if (info_has_lengths(info, i)) {
            json_object_set_new(one, "padding", count(t->lengths.padding));
            json_object_set_new(one, "lengths", lengths_of(&t->lengths));
        }
        json_object_set_new(tensors, info->data->schema.entries[i].name, one);
    }
    return tensors;
}

static json_t *split_of(const struct info *info, int split)
{
    json_t *one = json_object();
    json_object_set_new(one, "samples", count(info->data->split[split].count));
    json_object_set_new(one, "duplicate_ids", count(info->duplicates[split]));
    json_object_set_new(one, "keys", keys_of(info, split));
    json_object_set_new(one, "tensors", tensors_of(info, split));
    return one;
}

void info_json(const struct info *info, FILE *to)
{
    const struct dataset *d = info->data;
    bool known = info->family >= 0;
    json_t *all = json_object(), *splits = json_object();
    json_object_set_new(all, "file", text_of(d->m, d->path));
    json_object_set_new(all, "format", json_string(d->format->name));
    json_object_set_new(all, "family",
                        known ? json_string(family_names[info->family]) : json_null());
    json_object_set_new(all, "range",
                        known ? number(family_range((enum family)info->family)) : json_null());
    for (int i = 0; i < SPLITS; i++)
        if (info->shown[i])
            json_object_set_new(splits, split_names[i], split_of(info, i));
    json_object_set_new(all, "splits", splits);
    if (info->keys_left_out)
        json_object_set_new(all, "keys_left_out", count(info->keys_left_out));
    json_dumpf(all, to, JSON_REAL_PRECISION(9));
    json_decref(all);
    fputc('\n', to);
}
