/* Data sets in MMSA's layout: what has samples under a name that is not known. It is not read, and
 * a model without it would be trained without a word. */
#include "common/dataset/dataset_pickle.h"
#include "common/run/sorted.h"
#include "common/run/utf8.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { SAID = 16, DEPTH = 4 };

/* The names that were said. */
struct unknown {
    struct dataset *d;
    char *said[SAID];
    uint32_t *more; /* CRC-32 of those that were not, some of them repeatedly */
    size_t count, room;
    bool collecting; /* options for an error, instead of warnings */
    char *options;   /* " --rename val=valid", of each that is likely; NULL: none is */
};

/* Remembers a name; false: it was said, or there are too many. */
static bool is_new(struct unknown *u, const char *name)
{
    size_t i = 0;
    for (; i < SAID && u->said[i]; i++)
        if (strcmp(u->said[i], name) == 0)
            return false;
    if (i < SAID) {
        u->said[i] = msa_strndup(u->d->m, name, strlen(name));
        return true;
    }
    if (u->count == u->room) {
        u->room = u->room ? 2 * u->room : 64;
        u->more = msa_realloc(u->d->m, u->more, u->room * sizeof *u->more);
    }
    u->more[u->count++] = (uint32_t)crc32(0, (const Bytef *)name, (uInt)strlen(name));
    return false;
}

/* ---- Values ---- */

static size_t samples_of(const struct pickle_value *v)
{
    if (v->kind == PICKLE_ARRAY)
        return v->array->rank && v->array->count ? v->array->shape[0] : 0;
    return v->kind == PICKLE_LIST || v->kind == PICKLE_DICT ? v->length : 0;
}

/* The first item of a list, of an array of objects, or of a dict; NULL: there is none. */
static const struct pickle_value *first_of(const struct pickle_value *v)
{
    if (v->kind == PICKLE_ARRAY)
        return v->array->kind == 'O' && v->array->count ? v->array->objects : NULL;
    if (v->kind == PICKLE_LIST)
        return v->length ? v->items[0] : NULL;
    return v->kind == PICKLE_DICT && v->length ? v->items[1] : NULL;
}

/* Are these numbers, in an array or in lists? Lists may contain themselves. */
static bool is_numeric(const struct pickle_value *v, int depth)
{
    const struct pickle_value *first = v->kind == PICKLE_DICT ? NULL : first_of(v);
    if (first)
        return depth < DEPTH && is_numeric(first, depth + 1);
    return v->kind == PICKLE_ARRAY ? strchr("fiub", v->array->kind) != NULL
                                   : v->kind == PICKLE_REAL || v->kind == PICKLE_INT;
}

/* Numbers of samples whatever they are called: an array of rank 2 at least (of booleans, which are
 * mostly masks, 3), the first axis that of samples, where their number is known; or arrays in a
 * list. */
static bool is_features(const struct pickle_value *v, bool flat, size_t samples)
{
    const struct pickle_value *first = first_of(v), *one = first ? first : v;
    const struct pickle_array *a = one->kind == PICKLE_ARRAY ? one->array : NULL;
    if (!a || !a->count || v->kind == PICKLE_DICT)
        return false;
    int rank = a->rank + (first != NULL);
    return (a->kind == 'b' ? rank >= 3 : strchr("fiu", a->kind) && rank >= 2) &&
           (flat || !samples || samples_of(v) == samples);
}

/* ---- Names ---- */

/* The name of an item, as --rename would have it; NULL: it cannot, for it is none, is too long or
 * has no letters that can be shown. Owned by the run. */
static char *name_of(struct dataset *d, const struct pickle_value *dict, size_t i)
{
    const struct pickle_value *key = dict->items[2 * i];
    if ((key->kind != PICKLE_TEXT && key->kind != PICKLE_BYTES) || !key->length ||
        key->length > BODY_KEY || !utf8_printable(key->bytes, key->length))
        return NULL;
    return pickle_text(pickle_set_of(d)->pickle, key);
}

/* How a line shows a key of any kind. Owned by the run. */
static char *shown(struct dataset *d, const struct pickle_value *key)
{
    enum { LETTERS = 24 };
    if (key->kind == PICKLE_INT)
        return pickle_text(pickle_set_of(d)->pickle, key);
    if (key->kind != PICKLE_TEXT && key->kind != PICKLE_BYTES)
        return msa_format(d->m, "<%s>", pickle_kind_name(key->kind));
    size_t length = key->length <= BODY_KEY ? key->length : LETTERS;
    char *text = msa_strndup(d->m, (const char *)key->bytes, length), *line;
    utf8_clean(text, length);
    line = length == key->length ? msa_format(d->m, "'%s'", text)
                                 : msa_format(d->m, "'%s...' (%zu bytes)", text, key->length);
    msa_free(d->m, text);
    return line;
}

/* Says that something is not read, and what to do about it. `why`: why a name alone would not do;
 * NULL: it would. `name`: NULL: it has none. `taken`: the likely name is there itself. */
static void tell(struct unknown *u, const char *what, const char *name, const char *likely,
                 bool taken, const char *why)
{
    struct msa *m = u->d->m;
    if (!u->collecting && taken)
        msa_warn(m, "%s: %s is not read: %s'%s' is", u->d->path, what,
                 name && strcmp(name, likely) == 0 ? "another " : "", likely);
    else if (!u->collecting && (why || !name))
        msa_warn(m, "%s: %s is not read: %s", u->d->path, what,
                 why ? why : "its key must be text that can be shown, of at most 128 bytes");
    if (taken || why || !name || (u->collecting && !likely))
        return;
    char *option = naming_remedy(m, name, likely ? likely : "NAME");
    if (u->collecting)
        u->options = msa_format(m, "%s %s", u->options ? u->options : "", option);
    else
        msa_warn(m, "%s: %s is not read: unknown name (msa-load %s%s)", u->d->path, what, option,
                 likely ? "" : ", with a NAME from msa-load(1)");
    msa_free(m, option);
}

/* ---- Keys ---- */

/* FIELDS: it is not the name of one. */
static int field_named(const char *known)
{
    int field = 0;
    while (field < FIELDS && strcmp(pickle_field_key(field), known) != 0)
        field++;
    return field;
}

/* The value that is read by a known name; NULL: none is. */
static const struct pickle_value *read_as(struct dataset *d, enum split split, const char *known)
{
    int field = field_named(known);
    return field < FIELDS ? pickle_set_of(d)->splits[split].of[field] : NULL;
}

/* Where two keys are equal only the last is read. */
static bool is_known_key(struct dataset *d, enum split split, const char *name,
                         const struct pickle_value *v)
{
    const char *known = name ? naming_of(d->naming, name) : NULL;
    const struct pickle_value *read = known ? read_as(d, split, known) : NULL;
    return known && naming_known(known, NAME_PICKLE) && (!read || read == v);
}

static void tell_of_key(struct unknown *u, enum split split, size_t i, const char *name,
                        const char *likely, bool taken)
{
    const struct pickle_set *set = pickle_set_of(u->d);
    const struct pickle_value *dict = set->splits[split].dict, *v = dict->items[2 * i + 1];
    const struct pickle_array *a = v->kind == PICKLE_ARRAY ? v->array : NULL;
    char shape[128], dtype[PICKLE_DTYPE], *key = shown(u->d, dict->items[2 * i]);
    tensor_shape_text(shape, a ? a->rank : 1, a ? a->shape : &v->length);
    char *what = msa_format(u->d->m, "%s (%s %s%s%s)", key, pickle_dtype_text(dtype, v), shape,
                            set->flat ? "" : " in ", set->flat ? "" : split_names[split]);
    bool one_each = likely && field_named(likely) >= FIELD_LENGTHS;
    if (is_new(u, key))
        tell(u, what, name, likely, taken,
             first_of(v) && !one_each ? "features must be one array of numbers" : NULL);
    msa_free(u->d->m, what);
    msa_free(u->d->m, key);
}

static void tell_of_keys(struct unknown *u, enum split split)
{
    const struct pickle_set *set = pickle_set_of(u->d);
    const struct pickle_value *dict = set->splits[split].dict;
    for (size_t i = 0; dict && i < dict->length; i++) {
        const struct pickle_value *v = dict->items[2 * i + 1];
        char *name = name_of(u->d, dict, i);
        const char *likely = name ? naming_likely(name, NAME_PICKLE) : NULL;
        bool taken = likely && read_as(u->d, split, likely);
        if (!is_known_key(u->d, split, name, v) &&
            (is_features(v, set->flat, u->d->split[split].count) ||
             (likely && !taken && samples_of(v) && is_numeric(v, 0))))
            tell_of_key(u, split, i, name, likely, taken);
        msa_free(u->d->m, name);
    }
}

/* ---- Splits ---- */

/* Has a dict a key that is read, or would be by another name, or features? How many samples that
 * has; 0: no. */
static size_t samples_in(struct dataset *d, const struct pickle_value *dict)
{
    size_t samples = 0;
    for (size_t i = 0; dict->kind == PICKLE_DICT && i < pickle_kept(dict) && !samples; i++) {
        const struct pickle_value *v = dict->items[2 * i + 1];
        char *name = name_of(d, dict, i);
        if ((name && v->kind != PICKLE_DICT &&
             naming_likely(naming_of(d->naming, name), NAME_PICKLE)) ||
            is_features(v, true, 0))
            samples = samples_of(v);
        msa_free(d->m, name);
    }
    return samples;
}

static int split_named(const char *name)
{
    int i = SPLITS - 1;
    while (i >= 0 && strcmp(name, split_names[i]) != 0)
        i--;
    return i;
}

/* What is read as that split; NULL: nothing is. */
static const struct pickle_value *split_read(struct dataset *d, int at)
{
    const struct pickle_set *set = pickle_set_of(d);
    return at < 0 || set->flat ? NULL : set->splits[at].dict;
}

/* Samples in item i of the set, which is no split that is read; 0: none. */
static size_t unread_samples(struct dataset *d, const struct pickle_value *root, size_t i,
                             const char *name, bool *apart)
{
    const struct pickle_value *v = root->items[2 * i + 1], *first = first_of(v);
    int at = name ? split_named(naming_of(d->naming, name)) : -1;
    const struct pickle_value *read = split_read(d, at);
    bool known = at >= 0 && (!read || read == v);
    *apart = first && samples_in(d, first);
    if (known && d->split[at].count)
        return 0;
    if (*apart)
        return samples_of(v);
    if (known)
        return 0;
    *apart = v->kind != PICKLE_DICT;
    if (v->kind == PICKLE_DICT)
        return samples_in(d, v);
    return name && naming_likely(name, NAME_SPLIT) ? samples_of(v) : 0;
}

static void tell_of_splits(struct unknown *u, const struct pickle_value *root)
{
    struct dataset *d = u->d;
    for (size_t i = 0; i < root->length; i++) {
        bool apart;
        char *name = name_of(d, root, i), *key = shown(d, root->items[2 * i]);
        size_t samples = unread_samples(d, root, i, name, &apart);
        if (samples && is_new(u, key)) {
            const char *likely = name ? naming_likely(name, NAME_SPLIT) : NULL;
            const struct pickle_value *read = likely ? split_read(d, split_named(likely)) : NULL;
            bool taken = read && (strcmp(name, likely) != 0 || read != root->items[2 * i + 1]);
            char *what = msa_format(d->m, "split %s of %zu samples", key, samples);
            tell(u, what, name, likely, taken, apart ? "a split must be a dict of arrays" : NULL);
            msa_free(d->m, what);
        }
        msa_free(d->m, name);
        msa_free(d->m, key);
    }
}

static void look(struct unknown *u, int where)
{
    for (int split = 0; where & NAME_PICKLE && split < SPLITS; split++)
        tell_of_keys(u, (enum split)split);
    if (where & NAME_SPLIT)
        tell_of_splits(u, pickle_set_of(u->d)->pickle->root);
    for (size_t i = 0; i < SAID; i++)
        msa_free(u->d->m, u->said[i]);
}

void pickle_set_warn(struct dataset *d)
{
    struct unknown u = {.d = d};
    look(&u, NAME_ANY);
    size_t more = sorted_numbers(u.more, u.count);
    if (more)
        msa_warn(d->m, "%s: %zu more unknown names", d->path, more);
    msa_free(d->m, u.more);
}

const char *pickle_set_remedy(struct dataset *d, int where)
{
    struct unknown u = {.d = d, .collecting = true};
    look(&u, where);
    msa_free(d->m, u.more);
    return u.options ? msa_format(d->m, " (msa-load%s)", u.options) : "";
}
