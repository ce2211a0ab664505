/* Data sets in MMSA's layout: a sample's tensors, label and id. */
#include "common/dataset/dataset_pickle.h"
#include "common/run/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Item i of a list, or of an array of objects; the value itself when it is neither. */
static const struct pickle_value *element(const struct pickle_value *v, size_t i)
{
    if (v->kind == PICKLE_ARRAY)
        return v->array->kind == 'O' ? &v->array->objects[i] : NULL;
    return v->kind == PICKLE_LIST ? v->items[i] : v;
}

static _Noreturn void wrong_kind(struct dataset *d, enum split split, int field, size_t i,
                                 const struct pickle_value *found, const char *expected)
{
    msa_fail(d->m, MSA_CORRUPT, "%s: %s: sample %zu, '%s': %s but expected %s", d->path,
             split_names[split], i, pickle_field_key(field), pickle_kind_name(found->kind),
             expected);
}

/* Of a list, or of an array of objects. */
static double number_in(struct dataset *d, enum split split, int field, size_t i,
                        const struct pickle_value *number)
{
    if (number->kind != PICKLE_REAL && number->kind != PICKLE_INT && number->kind != PICKLE_BOOL)
        wrong_kind(d, split, field, i, number, "a number");
    return pickle_real(number);
}

static float read_label(struct dataset *d, enum split split, int field, size_t i)
{
    const struct pickle_value *v = pickle_set_of(d)->splits[split].of[field],
                              *number = element(v, i);
    float label;
    if (number)
        return (float)number_in(d, split, field, i, number);
    pickle_numbers(pickle_set_of(d)->pickle, v->array, i, 1, &label);
    return label;
}

static double number_of_array(struct dataset *d, const struct pickle_array *a, size_t i)
{
    struct pickle *p = pickle_set_of(d)->pickle;
    float real;
    int64_t whole;
    if (a->kind == 'f') {
        pickle_numbers(p, a, i, 1, &real);
        return (double)real;
    }
    pickle_integers(p, a, i, 1, &whole);
    return a->kind == 'u' ? (double)(uint64_t)whole : (double)whole;
}

double pickle_set_length(struct dataset *d, enum split split, int field, size_t i)
{
    const struct pickle_value *v = pickle_set_of(d)->splits[split].of[field],
                              *number = element(v, i);
    double length =
        number ? number_in(d, split, field, i, number) : number_of_array(d, v->array, i);
    if (!(length >= 0) || length != trunc(length) || isinf(length))
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: %s: sample %zu, '%s': %g but expected a whole number from 0", d->path,
                 split_names[split], i, pickle_field_key(field), length);
    return length;
}

/* Of those frames that there are. */
static int64_t read_length(struct dataset *d, enum split split, int field, size_t i)
{
    double frames = (double)pickle_set_of(d)->frames[field - FIELD_LENGTHS];
    return (int64_t)fmin(pickle_set_length(d, split, field, i), frames);
}

/* What was read of an array of uint64 and does not fit into int64. */
static void check_tokens(struct dataset *d, enum split split, const struct pickle_array *a,
                         size_t i, const int64_t *tokens)
{
    for (size_t k = 0; k < 3 * pickle_set_of(d)->tokens; k++)
        if (a->kind == 'u' && tokens[k] < 0)
            msa_fail(d->m, MSA_CORRUPT,
                     "%s: %s: sample %zu, 'text_bert', element %zu: %" PRIu64
                     " but expected at most %" PRId64,
                     d->path, split_names[split], i, k, (uint64_t)tokens[k], INT64_MAX);
}

/* [3,L], whether the file has that or [L,3]. */
static void read_text_bert(struct dataset *d, enum split split, const struct pickle_array *a,
                           size_t i, int64_t *out)
{
    struct pickle *p = pickle_set_of(d)->pickle;
    size_t tokens = pickle_set_of(d)->tokens, n = 3 * tokens;
    int64_t row[3];
    if (a->shape[a->rank - 2] == 3)
        pickle_integers(p, a, i * n, n, out);
    else
        for (size_t token = 0; token < tokens; token++) {
            pickle_integers(p, a, i * n + 3 * token, 3, row);
            for (size_t k = 0; k < 3; k++)
                out[k * tokens + token] = row[k];
        }
    check_tokens(d, split, a, i, out);
}

void pickle_set_read(struct dataset *d, enum split split, int tensor, size_t i, void *out)
{
    int field = pickle_set_of(d)->field_of[tensor];
    const struct pickle_value *v = pickle_set_of(d)->splits[split].of[field];
    size_t n = dataset_elements(d, tensor);
    if (field >= FIELD_LABELS)
        *(float *)out = read_label(d, split, field, i);
    else if (field >= FIELD_LENGTHS)
        *(int64_t *)out = read_length(d, split, field, i);
    else if (field == FIELD_BERT)
        read_text_bert(d, split, v->array, i, out);
    else
        pickle_numbers(pickle_set_of(d)->pickle, v->array, i * n, n, out);
}

/* A file of one sample is told by its name from others. */
static char *id_of_file(const struct dataset *d)
{
    size_t length = strlen(d->path);
    char *id = msa_strndup(d->m, d->path, length);
    utf8_clean(id, length);
    return id;
}

/* What pandas puts where a text is missing. */
static bool is_missing(const struct pickle_value *v)
{
    return v->kind == PICKLE_NONE || (v->kind == PICKLE_REAL && isnan(v->real));
}

char *pickle_set_text(struct dataset *d, enum split split, enum record_text which, size_t i)
{
    const struct pickle_value *v = pickle_set_of(d)->splits[split].of[FIELD_TEXTS + which];
    struct pickle *p = pickle_set_of(d)->pickle;
    if (!v)
        return pickle_set_of(d)->flat && which == RECORD_ID ? id_of_file(d) : NULL;
    const struct pickle_value *text = element(v, i);
    if (text && which == RECORD_RAW_TEXT && is_missing(text))
        return msa_strndup(d->m, "", 0);
    if (text && text->kind != PICKLE_TEXT && text->kind != PICKLE_BYTES && text->kind != PICKLE_INT)
        wrong_kind(d, split, FIELD_TEXTS + (int)which, i, text, "text or an integer");
    if (text)
        return pickle_text(p, text);
    return pickle_string(p, v->array, i);
}
