/* Data sets in MMSA's layout (msa-model(7), Data): a pickle of a dict of splits, or of one sample's
 * arrays. Finds the splits and their fields, and makes the schema of them. */
#include "common/dataset/dataset_pickle.h"
#include "common/dataset/inflated.h"
#include "common/dataset/tensor_names.h"
#include "common/run/content.h"

#include <stdio.h>
#include <string.h>

const char *pickle_field_key(int field)
{
    return field < MODALITIES      ? modality_names[field]
           : field == FIELD_BERT   ? "text_bert"
           : field >= FIELD_TEXTS  ? record_texts[field - FIELD_TEXTS]
           : field >= FIELD_LABELS ? label_keys[field - FIELD_LABELS]
                                   : length_names[field - FIELD_LENGTHS];
}

const char *pickle_dtype_text(char text[PICKLE_DTYPE], const struct pickle_value *v)
{
    const struct pickle_array *a = v->kind == PICKLE_ARRAY ? v->array : NULL;
    if (!a)
        snprintf(text, PICKLE_DTYPE, "%s", pickle_kind_name(v->kind));
    else if (a->kind == 'O')
        snprintf(text, PICKLE_DTYPE, "object");
    else
        snprintf(text, PICKLE_DTYPE, "%c%c%zu",
                 a->item == 1 || a->kind == 'S' ? '|' : "<>"[a->swapped], a -> kind,
                 a -> kind == 'U' ? a->item / 4 : a->item);
    return text;
}

/* ---- The values of a split ---- */

/* Samples in a value: a list's length, an array's first axis; 1 for what is neither. */
static size_t value_samples(const struct pickle_value *v)
{
    if (v->kind == PICKLE_ARRAY && v->array->rank > 0)
        return v->array->shape[0];
    return v->kind == PICKLE_LIST ? v->length : 1;
}

/* NULL where it is None too. */
static const struct pickle_value *there(const struct pickle_value *dict, const char *key)
{
    const struct pickle_value *v = pickle_get(dict, key);
    return v && v->kind != PICKLE_NONE ? v : NULL;
}

static bool is_there(const void *dict, const char *key)
{
    return there(dict, key);
}

/* The value of a known key, or of the one that stands for it; NULL: it is not there, or stands for
 * another that is read `where`. */
static const struct pickle_value *named(struct dataset *d, const struct pickle_value *dict,
                                        const char *key, int where)
{
    struct naming *n = d->naming;
    const struct renaming *to = naming_to(n, d->path, key, is_there, dict),
                          *from = naming_from(n, key, where);
    if (from && naming_to(n, d->path, from->to, is_there, dict) == from)
        return NULL;
    return there(dict, to ? to->from : key);
}

/* Lengths of a modality that is not there. */
static bool counts_nothing(const struct fields *fields, int field)
{
    return field >= FIELD_LENGTHS && field < FIELD_LABELS && !fields->of[field - FIELD_LENGTHS];
}

static void find_fields(struct dataset *d, enum split at, const struct pickle_value *dict)
{
    struct dataset_split *split = &d->split[at];
    struct fields *fields = &pickle_set_of(d)->splits[at];
    const char *first = NULL;
    *fields = (struct fields){.dict = dict};
    for (int field = 0; field < FIELDS; field++) {
        const struct pickle_value *v = named(d, dict, pickle_field_key(field), NAME_PICKLE);
        if (!v || counts_nothing(fields, field))
            continue;
        size_t samples = pickle_set_of(d)->flat && field <= FIELD_BERT ? 1 : value_samples(v);
        if (!first) {
            first = pickle_field_key(field);
            split->count = samples;
        } else if (samples != split->count) {
            msa_fail(d->m, MSA_CORRUPT,
                     "%s: %s: '%s' has %zu samples but expected %zu, as '%s' has", d->path,
                     split_names[at], pickle_field_key(field), samples, split->count, first);
        }
        fields->of[field] = v;
    }
    if (split->count > UINT32_MAX)
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: %zu samples but expected fewer than 2^32", d->path,
                 split_names[at], split->count);
    if (split->count == 0)
        *fields = (struct fields){.dict = dict};
}

/* ---- The whole ---- */

static void read_splits(struct dataset *d, const struct pickle_value *root)
{
    bool any = false;
    for (int at = 0; at < SPLITS; at++) {
        const struct pickle_value *dict = named(d, root, split_names[at], NAME_SPLIT);
        if (dict && dict->kind != PICKLE_DICT)
            msa_fail(d->m, MSA_CORRUPT, "%s: '%s' is %s but expected dict", d->path,
                     split_names[at], pickle_kind_name(dict->kind));
        if (dict)
            find_fields(d, (enum split)at, dict);
        any |= dict != NULL;
    }
    pickle_set_of(d)->flat = !any;
    if (!any)
        find_fields(d, TEST, root);
    naming_check(d->naming, d->path, NAME_PICKLE);
    pickle_set_check(d);
}

static void add_tensor(struct dataset *d, int field, const char *name, enum dtype dtype, int rank,
                       const size_t *shape)
{
    int at = d->schema.count;
    schema_add(d->m, &d->schema, name, dtype, rank, shape, false);
    d->keys[at] = pickle_field_key(field);
    pickle_set_of(d)->field_of[at] = field;
}

static bool has(const struct dataset *d, int field)
{
    for (int at = 0; at < SPLITS; at++)
        if (pickle_set_of(d)->splits[at].of[field])
            return true;
    return false;
}

/* Nothing was found that a stage could read. */
static _Noreturn void no_features(struct dataset *d)
{
    const struct pickle_set *set = pickle_set_of(d);
    const char *remedy = pickle_set_remedy(d, NAME_ANY);
    char splits[64] = "";
    if (set->flat)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: a dict of neither splits ('train', 'valid', 'test') nor a sample's arrays "
                 "('text', 'vision', 'audio', 'text_bert')%s",
                 d->path, remedy);
    for (int at = 0; at < SPLITS; at++)
        if (set->splits[at].dict)
            snprintf(splits + strlen(splits), sizeof splits - strlen(splits), "%s%s",
                     splits[0] ? ", " : "", split_names[at]);
    if (dataset_largest(d))
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: labels or ids alone, but expected 'text', 'vision', 'audio' or "
                 "'text_bert' too%s",
                 d->path, splits, remedy);
    msa_fail(d->m, MSA_CORRUPT, "%s: %s: 0 samples but expected one at least%s", d->path, splits,
             remedy);
}

static void make_schema(struct dataset *d)
{
    const struct pickle_set *set = pickle_set_of(d);
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        if (has(d, i))
            add_tensor(d, i, modality_names[i], F4, 3,
                       (size_t[]){0, set->frames[i], set->width[i]});
    if (has(d, FIELD_BERT))
        add_tensor(d, FIELD_BERT, "text_bert", I8, 3, (size_t[]){0, 3, set->tokens});
    if (d->schema.count == 0)
        no_features(d);
    for (int i = 0; i < MODALITIES; i++)
        if (has(d, FIELD_LENGTHS + i))
            add_tensor(d, FIELD_LENGTHS + i, length_names[i], I8, 1, (size_t[]){0});
    for (int i = LABELS - 1; i >= 0; i--)
        if (has(d, FIELD_LABELS + i))
            add_tensor(d, FIELD_LABELS + i, name_label(name, i), F4, 1, (size_t[]){0});
}

/* Splits and their keys, by the names that they have or are given. Anything else is described and
 * warned of, but not read. */
static bool is_used(void *closure, const uint8_t *key, size_t length)
{
    struct dataset *d = closure;
    char name[BODY_KEY + 1];
    if (length > BODY_KEY)
        return false;
    memcpy(name, key, length);
    name[length] = '\0';
    if (naming_from(d->naming, name, NAME_ANY))
        return true;
    for (int i = 0; i < SPLITS; i++)
        if (strcmp(name, split_names[i]) == 0)
            return true;
    for (int field = 0; field < FIELDS; field++)
        if (strcmp(name, pickle_field_key(field)) == 0)
            return true;
    return false;
}

/* Is it something else that is known? A pickle begins with its protocol. */
static void refuse_others(struct dataset *d, struct mapping map)
{
    const char *what = content_guess(map.bytes, map.size);
    if (what && map.bytes[0] != 0x80)
        msa_fail(d->m, MSA_CORRUPT, "%s: %s but expected a pickle or a stream", d->path, what);
}

/* Its bytes, inflated where they are gzipped. */
static struct mapping map_set(struct dataset *d)
{
    struct mapping map = mapping_of(d->m, d->path);
    if (is_gzip(map)) {
        struct mapping packed = map;
        map = inflate_map(d->m, packed, d->path);
        mapping_close(d->m, packed);
    }
    refuse_others(d, map);
    return map;
}

static void open_set(struct dataset *d)
{
    struct pickle_set *set = msa_alloc(d->m, sizeof *set);
    d->own = set;
    d->header = header_new(d->m);
    set->pickle = pickle_open(d->m, d->path, map_set(d), is_used, d);
    if (set->pickle->root->kind != PICKLE_DICT)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: the pickle is %s but expected dict, with 'train', 'valid' and 'test'",
                 d->path, pickle_kind_name(set->pickle->root->kind));
    read_splits(d, set->pickle->root);
    make_schema(d);
}

static void close_set(struct dataset *d)
{
    pickle_close(pickle_set_of(d)->pickle);
    msa_free(d->m, d->own);
}

/* ---- What is there ---- */

static const char *becomes(const struct dataset *d, const char *name)
{
    const char *key = naming_of(d->naming, name);
    for (int i = 0; i < d->schema.count; i++)
        if (strcmp(d->keys[i], key) == 0)
            return d->schema.entries[i].name;
    for (int i = 0; i < RECORD_TEXTS; i++)
        if (strcmp(record_texts[i], key) == 0)
            return record_texts[i];
    return NULL;
}

static void describe_value(const struct pickle_value *v, char dtype[PICKLE_DTYPE], int *rank,
                           const size_t **shape)
{
    const struct pickle_array *a = v->kind == PICKLE_ARRAY ? v->array : NULL;
    *rank = a ? a->rank : v->kind == PICKLE_LIST || v->kind == PICKLE_DICT;
    *shape = a ? a->shape : &v->length;
    pickle_dtype_text(dtype, v);
}

static void describe(struct dataset *d, enum split split, dataset_key_fn *tell, void *closure)
{
    const struct pickle_value *dict = pickle_set_of(d)->splits[split].dict;
    for (size_t i = 0; dict && i < dict->length; i++) {
        const struct pickle_value *key = dict->items[2 * i], *v = dict->items[2 * i + 1];
        char dtype[PICKLE_DTYPE];
        int rank;
        const size_t *shape;
        if (key->kind != PICKLE_TEXT && key->kind != PICKLE_BYTES)
            continue;
        char *name = pickle_text(pickle_set_of(d)->pickle, key);
        describe_value(v, dtype, &rank, &shape);
        tell(closure, name, dtype, rank, shape, becomes(d, name));
        msa_free(d->m, name);
    }
}

/* MMSA-FET cuts features off at L frames, and leaves the lengths as they were. */
static void warn_of_lengths(struct dataset *d)
{
    const struct pickle_set *set = pickle_set_of(d);
    for (int i = 0; i < MODALITIES; i++)
        if (set->longer[i])
            msa_warn(d->m, "%s: %zu of '%s' were above %zu, the frames of '%s', and became %zu",
                     d->path, set->longer[i], length_names[i], set->frames[i], modality_names[i],
                     set->frames[i]);
}

static void warn(struct dataset *d)
{
    pickle_set_warn(d);
    warn_of_lengths(d);
}

const struct dataset_format dataset_pickle = {.name = "pickle",
                                              .label_key = "regression_labels",
                                              .open = open_set,
                                              .read = pickle_set_read,
                                              .text = pickle_set_text,
                                              .warn = warn,
                                              .remedy = pickle_set_remedy,
                                              .describe = describe,
                                              .close = close_set};
