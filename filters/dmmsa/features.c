/* Features of DMMSA. */
#include "filters/dmmsa/features.h"
#include "common/run/option.h"
#include <stdio.h>
#include <string.h>

const char *name_feature(char name[TENSOR_NAME + 1], int feature)
{
    return name_vector(name, feature < MODALITIES ? 's' : 'd', feature % MODALITIES);
}

struct features features_find(struct msa *m, const struct schema *schema)
{
    struct features f = {0};
    for (int i = 0; i < FEATURES; i++) {
        const char *name = name_feature(f.names[f.count], i);
        const struct schema_entry *entry = schema_floats(m, schema, name, 2);
        if (!entry)
            continue;
        if (f.count && entry->shape[1] != f.width)
            msa_fail(m, MSA_CORRUPT, "header: '%s' is of width %zu but '%s' of %zu", name,
                     entry->shape[1], f.names[0], f.width);
        f.width = entry->shape[1];
        f.which[f.count++] = i;
    }
    return f;
}

struct features features_listed(const char *list, size_t width)
{
    struct features f = {.width = width};
    for (int i = 0; i < FEATURES; i++)
        if (option_names(list, name_feature(f.names[f.count], i)))
            f.which[f.count++] = i;
    return f;
}

int features_similarities(const struct features *f)
{
    int count = 0;
    while (count < f->count && f->which[count] < MODALITIES)
        count++;
    return count;
}

int features_index(const struct features *f, const char *name)
{
    int i = 0;
    while (i < f->count && strcmp(f->names[i], name) != 0)
        i++;
    return i < f->count ? i : -1;
}

const char *features_list(char text[FEATURES_TEXT], const struct features *f,
                          const struct features *without)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < f->count; i++)
        if (!without || features_index(without, f->names[i]) < 0)
            used += (size_t)snprintf(text + used, FEATURES_TEXT - used, "%s%s", used ? "," : "",
                                     f->names[i]);
    return text;
}

int feature_label(int feature)
{
    return feature < MODALITIES ? LABEL_JOINT : feature % MODALITIES;
}
