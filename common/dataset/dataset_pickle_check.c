/* Data sets in MMSA's layout: the fields of each split are what they are to be, and agree. */
#include "common/dataset/dataset_pickle.h"

#include <string.h>

static const struct pickle_array *array_of(struct dataset *d, enum split at, int field,
                                           const char *kinds, const char *what)
{
    const struct pickle_value *v = pickle_set_of(d)->splits[at].of[field];
    char dtype[PICKLE_DTYPE];
    if (v->kind != PICKLE_ARRAY || !strchr(kinds, v->array->kind))
        msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is %s but expected an array of %s", d->path,
                 split_names[at], pickle_field_key(field), pickle_dtype_text(dtype, v), what);
    return v->array;
}

static const char *array_shape(char text[128], const struct pickle_array *a)
{
    return tensor_shape_text(text, a->rank, a->shape);
}

/* Of rank 2 or 3, the axis of samples included, and as in the other splits. */
static void check_features(struct dataset *d, enum split at, int modality)
{
    struct pickle_set *set = pickle_set_of(d);
    const struct pickle_array *a = array_of(d, at, modality, "fiub", "numbers");
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
    struct pickle_set *set = pickle_set_of(d);
    const struct pickle_array *a = array_of(d, at, FIELD_BERT, "iubf", "integers");
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
    const struct pickle_value *v = pickle_set_of(d)->splits[at].of[field];
    if (!v || v->kind != PICKLE_ARRAY)
        return;
    if (v->array->count != d->split[at].count)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: '%s' has %zu values but expected one for each of %zu samples", d->path,
                 split_names[at], pickle_field_key(field), v->array->count, d->split[at].count);
    if (field >= FIELD_TEXTS)
        array_of(d, at, field, "iubUSO", "texts or integers");
    else
        array_of(d, at, field, "fiubO", "numbers");
}

static void check_lengths(struct dataset *d, enum split at, int modality)
{
    struct pickle_set *set = pickle_set_of(d);
    int field = FIELD_LENGTHS + modality;
    for (size_t i = 0; set->splits[at].of[field] && i < d->split[at].count; i++)
        set->longer[modality] += pickle_set_length(d, at, field, i) > (double)set->frames[modality];
}

static void check_split(struct dataset *d, enum split at)
{
    const struct fields *fields = &pickle_set_of(d)->splits[at];
    for (int modality = 0; modality < MODALITIES; modality++)
        if (fields->of[modality])
            check_features(d, at, modality);
    if (fields->of[FIELD_BERT])
        check_text_bert(d, at);
    for (int field = FIELD_LENGTHS; field < FIELDS; field++)
        check_values(d, at, field);
    for (int modality = 0; modality < MODALITIES; modality++)
        check_lengths(d, at, modality);
}

/* What one split has, all have; the ids apart. */
static void check_splits_agree(struct dataset *d)
{
    for (int field = 0; field < FIELD_TEXTS; field++) {
        int with = -1, without = -1;
        for (int at = 0; at < SPLITS; at++)
            if (d->split[at].count && pickle_set_of(d)->splits[at].of[field])
                with = at;
            else if (d->split[at].count)
                without = at;
        if (with >= 0 && without >= 0)
            msa_fail(d->m, MSA_CORRUPT, "%s: %s: '%s' is not there but %s has it%s", d->path,
                     split_names[without], pickle_field_key(field), split_names[with],
                     pickle_set_remedy(d, NAME_ANY));
    }
}

void pickle_set_check(struct dataset *d)
{
    for (int at = 0; at < SPLITS; at++)
        check_split(d, (enum split)at);
    check_splits_agree(d);
}
