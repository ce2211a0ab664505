/* Data sets in MMSA's layout: a sample's tensors, label and id. */
#include "common/dataset/dataset_pickle.h"
#include "common/run/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
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

/* [L,3] instead of [3,L] */
static bool by_token(const struct pickle_array *a)
{
    return a->shape[a->rank - 2] != 3;
}

/* Element k of the file's; a line names that of the record. */
static _Noreturn void wrong_token(struct dataset *d, enum split split, const struct pickle_array *a,
                                  size_t i, size_t k, const char *found, int64_t most)
{
    if (by_token(a))
        k = k % 3 * pickle_set_of(d)->tokens + k / 3;
    msa_fail(d->m, MSA_CORRUPT,
             "%s: %s: sample %zu, 'text_bert', element %zu: %s but expected a whole number from 0 "
             "to %" PRId64,
             d->path, split_names[split], i, k, found, most);
}

/* What was read of an array of integers: one of uint64 that does not fit is negative too. */
static void check_tokens(struct dataset *d, enum split split, const struct pickle_array *a,
                         size_t i, size_t first, size_t count, const int64_t *tokens)
{
    char found[24];
    for (size_t k = 0; k < count; k++) {
        if (tokens[k] >= 0)
            continue;
        if (a->kind == 'u')
            snprintf(found, sizeof found, "%" PRIu64, (uint64_t)tokens[k]);
        else
            snprintf(found, sizeof found, "%" PRId64, tokens[k]);
        wrong_token(d, split, a, i, first + k, found, INT64_MAX);
    }
}

/* Whole numbers of an array of reals, of which all up to the largest are exact. */
static void take_tokens(struct dataset *d, enum split split, const struct pickle_array *a, size_t i,
                        size_t first, size_t count, const double *reals, int64_t *tokens)
{
    const int64_t most = (int64_t)1 << (a->item == 2 ? 11 : a->item == 4 ? 24 : 53);
    char found[32];
    for (size_t k = 0; k < count; k++) {
        if (!(reals[k] >= 0 && reals[k] <= (double)most && reals[k] == trunc(reals[k]))) {
            snprintf(found, sizeof found, "%g", reals[k]);
            wrong_token(d, split, a, i, first + k, found, most);
        }
        tokens[k] = (int64_t)reals[k];
    }
}

/* Elements of sample i, as they come in the file; MMSA-FET writes them as reals. */
static void read_tokens(struct dataset *d, enum split split, const struct pickle_array *a, size_t i,
                        size_t first, size_t count, int64_t *tokens)
{
    struct pickle *p = pickle_set_of(d)->pickle;
    size_t at = i * 3 * pickle_set_of(d)->tokens + first;
    enum { PIECE = 256 };
    double reals[PIECE];
    if (a->kind != 'f') {
        pickle_integers(p, a, at, count, tokens);
        check_tokens(d, split, a, i, first, count, tokens);
        return;
    }
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < PIECE ? count - done : PIECE;
        pickle_doubles(p, a, at + done, n, reals);
        take_tokens(d, split, a, i, first + done, n, reals, tokens + done);
    }
}

/* [3,L], whether the file has that or [L,3]. */
static void read_text_bert(struct dataset *d, enum split split, const struct pickle_array *a,
                           size_t i, int64_t *out)
{
    size_t tokens = pickle_set_of(d)->tokens;
    int64_t row[3];
    if (!by_token(a)) {
        read_tokens(d, split, a, i, 0, 3 * tokens, out);
        return;
    }
    for (size_t token = 0; token < tokens; token++) {
        read_tokens(d, split, a, i, 3 * token, 3, row);
        for (size_t k = 0; k < 3; k++)
            out[k * tokens + token] = row[k];
    }
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
