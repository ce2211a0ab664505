/* Data sets in MMSA's layout (msa-model(7), Data): a pickle of a dict of splits, or of one sample's
 * arrays. Finds the splits and their arrays, and checks that they agree. */
#include "common/data/dataset.h"
#include "common/data/names.h"
#include "common/data/pickle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Everything that is read from a split, in the order in which errors name it. */
enum {
    FIELD_BERT = MODALITIES,
    FIELD_LABELS,
    FIELD_TEXTS = FIELD_LABELS + LABELS,
    FIELDS = FIELD_TEXTS + RECORD_TEXTS
};

/* The values of a split, in the pickle; NULL: not there. */
struct fields {
    const struct pickle_value *dict;
    const struct pickle_value *of[FIELDS];
};

struct pickle_set {
    struct pickle *pickle;
    bool flat; /* one sample's arrays, without an axis of samples */
    struct fields splits[SPLITS];
    size_t frames[MODALITIES], width[MODALITIES]; /* L and F of [N,L,F]; 0: not there */
    size_t tokens;                                /* L of text_bert [N,3,L]; 0: not there */
    int field_of[RECORD_TENSORS];                 /* what a tensor of the schema is made of */
};

static struct pickle_set *set_of(const struct dataset *d)
{
    return d->own;
}

static const char *field_key(int field)
{
    return field < MODALITIES     ? modality_names[field]
           : field == FIELD_BERT  ? "text_bert"
           : field >= FIELD_TEXTS ? record_texts[field - FIELD_TEXTS]
                                  : label_keys[field - FIELD_LABELS];
}

/* ---- The values of a split ---- */

/* Samples in a value: a list's length, an array's first axis; 1 for what is neither. */
static size_t value_samples(const struct pickle_value *v)
{
    if (v->kind == PICKLE_ARRAY && v->array->rank > 0)
        return v->array->shape[0];
    return v->kind == PICKLE_LIST ? v->length : 1;
}

static void find_fields(struct dataset *d, enum split at, const struct pickle_value *dict)
{
    struct dataset_split *split = &d->split[at];
    struct fields *fields = &set_of(d)->splits[at];
    const char *first = NULL;
    *fields = (struct fields){.dict = dict};
    split->own = fields;
    for (int field = 0; field < FIELDS; field++) {
        const struct pickle_value *v = pickle_get(dict, field_key(field));
        if (!v || v->kind == PICKLE_NONE)
            continue;
        size_t samples = set_of(d)->flat && field <= FIELD_BERT ? 1 : value_samples(v);
        if (!first) {
            first = field_key(field);
            split->count = samples;
        } else if (samples != split->count) {
            msa_fail(d->m, MSA_CORRUPT,
                     "%s: %s: '%s' has %zu samples but expected %zu, as '%s' has", d->path,
                     split_names[at], field_key(field), samples, split->count, first);
        }
        fields->of[field] = v;
    }
    if (split->count > UINT32_MAX)
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: %zu samples but expected fewer than 2^32", d->path,
                 split_names[at], split->count);
    if (split->count == 0)
        *fields = (struct fields){.dict = dict};
}

/* ---- Shapes ---- */

static const struct pickle_array *array_of(struct dataset *d, enum split at, int field,
                                           const char *kinds)
{
    const struct pickle_value *v = set_of(d)->splits[at].of[field];
    if (v->kind != PICKLE_ARRAY || !strchr(kinds, v->array->kind))
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is no array of %s", d->path, split_names[at],
                 field_key(field), strchr(kinds, 'f') ? "numbers" : "integers");
    return v->array;
}

static const char *array_shape(char text[128], const struct pickle_array *a)
{
    return tensor_shape_text(text, a->rank, a->shape);
}

/* Of rank 2 or 3, the axis of samples included, and as in the other splits. */
static void check_features(struct dataset *d, enum split at, int modality)
{
    struct pickle_set *set = set_of(d);
    const struct pickle_array *a = array_of(d, at, modality, "fiub");
    const size_t *axes = a->shape + !set->flat;
    int rank = a->rank - !set->flat;
    char shape[128];
    if (rank < 1 || rank > 2 || a->count == 0)
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is %s but expected %s", d->path, split_names[at],
                 modality_names[modality], array_shape(shape, a), set->flat ? "[L,F]" : "[N,L,F]");
    size_t frames = rank == 2 ? axes[0] : 1, width = axes[rank - 1];
    if (set->width[modality] && (frames != set->frames[modality] || width != set->width[modality]))
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: '%s' is %s but expected [*,%zu,%zu], as in another split", d->path,
                 split_names[at], modality_names[modality], array_shape(shape, a),
                 set->frames[modality], set->width[modality]);
    set->frames[modality] = frames;
    set->width[modality] = width;
}

static void check_text_bert(struct dataset *d, enum split at)
{
    struct pickle_set *set = set_of(d);
    const struct pickle_array *a = array_of(d, at, FIELD_BERT, "iub");
    const size_t *axes = a->shape + !set->flat;
    char shape[128];
    if (a->rank - !set->flat != 2 || a->count == 0 || (axes[0] != 3 && axes[1] != 3))
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: 'text_bert' is %s but expected %s", d->path,
                 split_names[at], array_shape(shape, a), set->flat ? "[3,L]" : "[N,3,L]");
    size_t tokens = axes[0] == 3 ? axes[1] : axes[0];
    if (set->tokens && tokens != set->tokens)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: 'text_bert' has %zu tokens but expected %zu, as in another split",
                 d->path, split_names[at], tokens, set->tokens);
    set->tokens = tokens;
}

/* One value a sample: a list, or an array with no more axes than that takes. */
static void check_values(struct dataset *d, enum split at, int field)
{
    const struct pickle_value *v = set_of(d)->splits[at].of[field];
    if (!v || v->kind != PICKLE_ARRAY)
        return;
    if (v->array->count != d->split[at].count)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: '%s' has %zu values but expected one for each of %zu samples", d->path,
                 split_names[at], field_key(field), v->array->count, d->split[at].count);
    array_of(d, at, field, field >= FIELD_TEXTS ? "iubUSO" : "fiubO");
}

static void check_split(struct dataset *d, enum split at)
{
    const struct fields *fields = &set_of(d)->splits[at];
    for (int modality = 0; modality < MODALITIES; modality++)
        if (fields->of[modality])
            check_features(d, at, modality);
    if (fields->of[FIELD_BERT])
        check_text_bert(d, at);
    for (int field = FIELD_LABELS; field < FIELDS; field++)
        check_values(d, at, field);
}

/* What one split has, all have; texts apart. */
static void check_splits_agree(struct dataset *d)
{
    for (int field = 0; field < FIELD_TEXTS; field++) {
        int with = -1, without = -1;
        for (int at = 0; at < SPLITS; at++)
            if (d->split[at].count && set_of(d)->splits[at].of[field])
                with = at;
            else if (d->split[at].count)
                without = at;
        if (with >= 0 && without >= 0)
            msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is not there but %s has it", d->path,
                     split_names[without], field_key(field), split_names[with]);
    }
}

/* ---- The whole ---- */

static void read_splits(struct dataset *d, const struct pickle_value *root)
{
    bool any = false;
    for (int at = 0; at < SPLITS; at++) {
        const struct pickle_value *dict = pickle_get(root, split_names[at]);
        if (dict && dict->kind != PICKLE_DICT)
            msa_fail(d->m, MSA_CORRUPT, "%s: '%s' is no dict", d->path, split_names[at]);
        if (dict)
            find_fields(d, (enum split)at, dict);
        any |= dict != NULL;
    }
    set_of(d)->flat = !any;
    if (!any)
        find_fields(d, TEST, root);
    for (int at = 0; at < SPLITS; at++)
        check_split(d, (enum split)at);
    check_splits_agree(d);
}

static void add_tensor(struct dataset *d, int field, const char *name, enum dtype dtype, int rank,
                       const size_t *shape)
{
    int at = d->schema.count;
    schema_add(d->m, &d->schema, name, dtype, rank, shape, false);
    d->keys[at] = field_key(field);
    set_of(d)->field_of[at] = field;
}

static bool has(const struct dataset *d, int field)
{
    for (int at = 0; at < SPLITS; at++)
        if (set_of(d)->splits[at].of[field])
            return true;
    return false;
}

static void make_schema(struct dataset *d)
{
    const struct pickle_set *set = set_of(d);
    char name[TENSOR_NAME + 1];
    for (int i = 0; i < MODALITIES; i++)
        if (has(d, i))
            add_tensor(d, i, modality_names[i], F4, 3,
                       (size_t[]){0, set->frames[i], set->width[i]});
    if (has(d, FIELD_BERT))
        add_tensor(d, FIELD_BERT, "text_bert", I8, 3, (size_t[]){0, 3, set->tokens});
    if (d->schema.count == 0)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: no samples: neither splits nor 'text', 'vision', 'audio' or 'text_bert'",
                 d->path);
    for (int i = LABELS - 1; i >= 0; i--)
        if (has(d, FIELD_LABELS + i))
            add_tensor(d, FIELD_LABELS + i, name_label(name, i), F4, 1, (size_t[]){0});
}

static void open_set(struct dataset *d)
{
    struct pickle_set *set = msa_alloc(d->m, sizeof *set);
    d->own = set;
    d->header = header_new(d->m);
    set->pickle = pickle_open(d->m, d->path);
    if (set->pickle->root->kind != PICKLE_DICT)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: the pickle holds no dict, but expected one with 'train', 'valid' and 'test'",
                 d->path);
    read_splits(d, set->pickle->root);
    make_schema(d);
}

static void close_set(struct dataset *d)
{
    pickle_close(set_of(d)->pickle);
    msa_free(d->m, d->own);
}

/* ---- Samples ---- */

/* Item i of a list, or of an array of objects; the value itself when it is neither. */
static const struct pickle_value *element(const struct pickle_value *v, size_t i)
{
    if (v->kind == PICKLE_ARRAY)
        return v->array->kind == 'O' ? &v->array->objects[i] : NULL;
    return v->kind == PICKLE_LIST ? v->items[i] : v;
}

static float read_label(struct dataset *d, enum split split, int field, size_t i)
{
    const struct pickle_value *v = set_of(d)->splits[split].of[field], *number = element(v, i);
    float label = NAN;
    if (!number)
        pickle_numbers(set_of(d)->pickle, v->array, i, 1, &label);
    else if (number->kind == PICKLE_REAL)
        label = (float)number->real;
    else if (number->kind == PICKLE_INT || number->kind == PICKLE_BOOL)
        label = (float)number->integer;
    else
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: sample %zu, '%s': %s but expected a number", d->path,
                 split_names[split], i, field_key(field), pickle_kind_name(number->kind));
    return label;
}

/* [3,L], whether the file has that or [L,3]. */
static void read_text_bert(struct dataset *d, const struct pickle_array *a, size_t i, int64_t *out)
{
    size_t tokens = set_of(d)->tokens, n = 3 * tokens;
    if (a->shape[a->rank - 2] == 3) {
        pickle_integers(set_of(d)->pickle, a, i * n, n, out);
        return;
    }
    for (size_t token = 0; token < tokens; token++) {
        int64_t row[3];
        pickle_integers(set_of(d)->pickle, a, i * n + 3 * token, 3, row);
        for (size_t k = 0; k < 3; k++)
            out[k * tokens + token] = row[k];
    }
}

static void read_sample(struct dataset *d, enum split split, int tensor, size_t i, void *out)
{
    int field = set_of(d)->field_of[tensor];
    const struct pickle_value *v = set_of(d)->splits[split].of[field];
    size_t n = dataset_elements(d, tensor);
    if (field >= FIELD_LABELS)
        *(float *)out = read_label(d, split, field, i);
    else if (field == FIELD_BERT)
        read_text_bert(d, v->array, i, out);
    else
        pickle_numbers(set_of(d)->pickle, v->array, i * n, n, out);
}

static char *read_text(struct dataset *d, enum split split, enum record_text which, size_t i)
{
    const struct pickle_value *v = set_of(d)->splits[split].of[FIELD_TEXTS + which];
    struct pickle *p = set_of(d)->pickle;
    if (!v)
        return NULL;
    const struct pickle_value *text = element(v, i);
    if (text)
        return pickle_text(p, text);
    if (!strchr("iub", v->array->kind))
        return pickle_string(p, v->array, i);
    int64_t number;
    pickle_integers(p, v->array, i, 1, &number);
    return msa_format(d->m, "%lld", (long long)number);
}

/* ---- What is there ---- */

static const char *becomes(const struct dataset *d, const char *key)
{
    for (int i = 0; i < d->schema.count; i++)
        if (strcmp(d->keys[i], key) == 0)
            return d->schema.entries[i].name;
    for (int i = 0; i < RECORD_TEXTS; i++)
        if (strcmp(record_texts[i], key) == 0)
            return record_texts[i];
    return NULL;
}

static void describe_value(const struct pickle_value *v, char dtype[24], int *rank,
                           const size_t **shape)
{
    const struct pickle_array *a = v->kind == PICKLE_ARRAY ? v->array : NULL;
    *rank = a ? a->rank : v->kind == PICKLE_LIST || v->kind == PICKLE_DICT;
    *shape = a ? a->shape : &v->length;
    if (!a)
        snprintf(dtype, 24, "%s", pickle_kind_name(v->kind));
    else if (a->kind == 'O')
        snprintf(dtype, 24, "object");
    else
        snprintf(dtype, 24, "%c%c%zu", a->item == 1 || a->kind == 'S' ? '|' : "<>"[a->swapped],
                 a -> kind, a -> kind == 'U' ? a->item / 4 : a->item);
}

static void describe(struct dataset *d, enum split split, dataset_key_fn *tell, void *closure)
{
    const struct pickle_value *dict = set_of(d)->splits[split].dict;
    for (size_t i = 0; dict && i < dict->length; i++) {
        const struct pickle_value *key = dict->items[2 * i], *v = dict->items[2 * i + 1];
        char dtype[24];
        int rank;
        const size_t *shape;
        if (key->kind != PICKLE_TEXT && key->kind != PICKLE_BYTES)
            continue;
        char *name = pickle_text(set_of(d)->pickle, key);
        describe_value(v, dtype, &rank, &shape);
        tell(closure, name, dtype, rank, shape, becomes(d, name));
        msa_free(d->m, name);
    }
}

const struct dataset_format dataset_pickle = {.name = "pickle",
                                              .label_key = "regression_labels",
                                              .open = open_set,
                                              .read = read_sample,
                                              .text = read_text,
                                              .describe = describe,
                                              .close = close_set};
