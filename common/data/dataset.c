/* Opening a data set: finds the splits and their arrays, and checks that they agree. */
#include "common/data/dataset.h"
#include "common/data/pickle.h"

#include <stdio.h>
#include <string.h>

const char *const modality_names[MODALITIES] = {"text", "vision", "audio"};
const char modality_letters[MODALITIES] = {'T', 'V', 'A'};
const char *const family_names[] = {"sims", "mosi"};
const char *const split_names[SPLITS] = {"train", "valid", "test"};
const char *const label_keys[LABELS] = {"regression_labels_T", "regression_labels_V",
                                        "regression_labels_A", "regression_labels"};

double family_range(enum family family)
{
    return family == FAMILY_SIMS ? 1 : 3;
}

/* ---- The values of a split ---- */

/* Everything that is read from a split, in the order in which errors name it. */
enum { FIELD_BERT = MODALITIES, FIELD_LABELS, FIELD_ID = FIELD_LABELS + LABELS, FIELDS };

static const char *field_key(int field)
{
    return field < MODALITIES    ? modality_names[field]
           : field == FIELD_BERT ? "text_bert"
           : field == FIELD_ID   ? "id"
                                 : label_keys[field - FIELD_LABELS];
}

static const void **field_place(struct dataset_split *split, int field)
{
    return field < MODALITIES    ? &split->features[field]
           : field == FIELD_BERT ? &split->text_bert
           : field == FIELD_ID   ? &split->id
                                 : &split->labels[field - FIELD_LABELS];
}

/* Samples in a value: a list's length, an array's first axis; 1 for what is neither. */
static size_t value_samples(const struct pickle_value *v)
{
    if (v->kind == PICKLE_ARRAY && v->array->rank > 0)
        return v->array->shape[0];
    return v->kind == PICKLE_LIST ? v->length : 1;
}

/* A flat file's features have no axis of samples. */
static bool is_flat_field(int field, bool flat)
{
    return flat && field <= FIELD_BERT;
}

static void find_fields(struct dataset *d, enum split at, const struct pickle_value *dict,
                        bool flat)
{
    struct dataset_split *split = &d->split[at];
    const char *first = NULL;
    for (int field = 0; field < FIELDS; field++) {
        const struct pickle_value *value = pickle_get(dict, field_key(field));
        if (!value || value->kind == PICKLE_NONE)
            continue;
        size_t samples = is_flat_field(field, flat) ? 1 : value_samples(value);
        if (!first) {
            first = field_key(field);
            split->count = samples;
        } else if (samples != split->count) {
            msa_fail(d->m, MSA_CORRUPT,
                     "%s: %s: '%s' has %zu samples but expected %zu, as '%s' has", d->path,
                     split_names[at], field_key(field), samples, split->count, first);
        }
        *field_place(split, field) = value;
    }
    if (split->count == 0)
        *split = (struct dataset_split){0};
}

/* ---- Shapes ---- */

static const char *shape_text(char text[128], const size_t *shape, int rank)
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && n < 100; i++)
        n += (size_t)snprintf(text + n, 128 - n, "%s%zu", i ? "," : "", shape[i]);
    return text;
}

static const struct pickle_array *field_array(struct dataset *d, enum split at, int field,
                                              const char *kinds)
{
    const struct pickle_value *value = *field_place(&d->split[at], field);
    if (value->kind != PICKLE_ARRAY || !strchr(kinds, value->array->kind))
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is no array of %s", d->path, split_names[at],
                 field_key(field), strchr(kinds, 'f') ? "numbers" : "integers");
    return value->array;
}

/* Of rank 2 or 3, the axis of samples included, and as in the other splits. */
static void check_features(struct dataset *d, enum split at, int modality, bool flat)
{
    const struct pickle_array *a = field_array(d, at, modality, "fiub");
    const size_t *axes = a->shape + !flat;
    int rank = a->rank - !flat;
    char shape[128];
    if (rank < 1 || rank > 2 || a->count == 0)
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is [%s] but expected %s", d->path,
                 split_names[at], modality_names[modality], shape_text(shape, a->shape, a->rank),
                 flat ? "[L,F]" : "[N,L,F]");
    size_t frames = rank == 2 ? axes[0] : 1, width = axes[rank - 1];
    if (d->width[modality] && (frames != d->frames[modality] || width != d->width[modality]))
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: '%s' is [%s] but expected [*,%zu,%zu], as in another split", d->path,
                 split_names[at], modality_names[modality], shape_text(shape, a->shape, a->rank),
                 d->frames[modality], d->width[modality]);
    d->frames[modality] = frames;
    d->width[modality] = width;
}

static void check_text_bert(struct dataset *d, enum split at, bool flat)
{
    const struct pickle_array *a = field_array(d, at, FIELD_BERT, "iub");
    const size_t *axes = a->shape + !flat;
    char shape[128];
    if (a->rank - !flat != 2 || a->count == 0 || (axes[0] != 3 && axes[1] != 3))
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: 'text_bert' is [%s] but expected %s", d->path,
                 split_names[at], shape_text(shape, a->shape, a->rank), flat ? "[3,L]" : "[N,3,L]");
    size_t tokens = axes[0] == 3 ? axes[1] : axes[0];
    if (d->tokens && tokens != d->tokens)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: 'text_bert' has %zu tokens but expected %zu, as in another split",
                 d->path, split_names[at], tokens, d->tokens);
    d->tokens = tokens;
}

/* One value a sample: a list, or an array with no more axes than that takes. */
static void check_values(struct dataset *d, enum split at, int field)
{
    const struct pickle_value *v = *field_place(&d->split[at], field);
    if (v && v->kind == PICKLE_ARRAY && v->array->count != d->split[at].count)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: '%s' has %zu values but expected one for each of %zu samples", d->path,
                 split_names[at], field_key(field), v->array->count, d->split[at].count);
}

static void check_split(struct dataset *d, enum split at, bool flat)
{
    const struct dataset_split *split = &d->split[at];
    for (int modality = 0; modality < MODALITIES; modality++)
        if (split->features[modality])
            check_features(d, at, modality, flat);
    if (split->text_bert)
        check_text_bert(d, at, flat);
    for (int field = FIELD_LABELS; field < FIELDS; field++)
        check_values(d, at, field);
}

/* What one split has, all have; the ids apart. */
static void check_splits_agree(struct dataset *d)
{
    for (int field = 0; field < FIELD_ID; field++) {
        int with = -1, without = -1;
        for (int at = 0; at < SPLITS; at++)
            if (d->split[at].count && *field_place(&d->split[at], field))
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
    bool any = false, flat = false;
    for (int at = 0; at < SPLITS; at++) {
        const struct pickle_value *dict = pickle_get(root, split_names[at]);
        if (dict && dict->kind != PICKLE_DICT)
            msa_fail(d->m, MSA_CORRUPT, "%s: '%s' is no dict", d->path, split_names[at]);
        if (dict)
            find_fields(d, (enum split)at, dict, false);
        any |= dict != NULL;
    }
    if (!any)
        find_fields(d, TEST, root, flat = true);
    for (int at = 0; at < SPLITS; at++)
        check_split(d, (enum split)at, flat);
    check_splits_agree(d);
}

struct dataset *dataset_open(struct msa *m, const char *path)
{
    struct dataset *d = msa_alloc(m, sizeof *d);
    struct pickle *p = pickle_open(m, path);
    d->m = m;
    d->path = path;
    d->source = p;
    if (p->root->kind != PICKLE_DICT)
        msa_fail(m, MSA_CORRUPT,
                 "%s: the pickle holds no dict, but expected one with 'train', 'valid' and 'test'",
                 path);
    read_splits(d, p->root);
    if (!d->width[TEXT] && !d->width[VISION] && !d->width[AUDIO] && !d->tokens)
        msa_fail(m, MSA_CORRUPT,
                 "%s: no samples: neither splits nor 'text', 'vision', 'audio' or 'text_bert'",
                 path);
    d->family = FAMILY_MOSI;
    for (int at = 0; at < SPLITS; at++) {
        const void *const *labels = d->split[at].labels;
        d->labelled |= labels[LABEL_JOINT] != NULL;
        if (labels[TEXT] || labels[VISION] || labels[AUDIO])
            d->family = FAMILY_SIMS;
    }
    return d;
}

void dataset_close(struct dataset *d)
{
    pickle_close(d->source);
    msa_free(d->m, d);
}
