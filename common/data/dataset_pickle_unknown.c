/* Data sets in MMSA's layout: what has samples under a name that no layout has. It is not read, and
 * a model without it would be trained without a word. */
#include "common/data/dataset_pickle.h"

#include <stdio.h>
#include <string.h>

enum { SAID = 16 };

/* The names that were said. */
struct unknown {
    struct dataset *d;
    char *names[SAID];
    size_t more;     /* that were not */
    bool collecting; /* options for an error, instead of warnings */
    char *options;   /* " --rename val=valid", of each that is likely; NULL: none is */
};

static bool is_said(const struct unknown *u, const char *name)
{
    for (size_t i = 0; i < SAID && u->names[i]; i++)
        if (strcmp(u->names[i], name) == 0)
            return true;
    return false;
}

/* Remembers a name; false: it was said, or there are too many. */
static bool is_new(struct unknown *u, const char *name)
{
    size_t i = 0;
    if (is_said(u, name))
        return false;
    while (i < SAID && u->names[i])
        i++;
    if (i == SAID)
        u->more++;
    else
        u->names[i] = msa_strndup(u->d->m, name, strlen(name));
    return i < SAID;
}

/* What to do about it is the end of a line. `taken`: the likely name is there itself. */
static void tell(struct unknown *u, const char *what, const char *name, const char *likely,
                 bool taken)
{
    struct msa *m = u->d->m;
    const char *quote = strpbrk(name, " \t'\"\\$&|;<>()*?[]#~") ? "'" : "";
    char *option =
        msa_format(m, "--rename %s%s=%s%s", quote, name, likely ? likely : "NAME", quote);
    if (u->collecting && likely && !taken)
        u->options = msa_format(m, "%s %s", u->options ? u->options : "", option);
    else if (!u->collecting && taken)
        msa_warn(m, "%s: %s is not read: '%s' is", u->d->path, what, likely);
    else if (!u->collecting)
        msa_warn(m, "%s: %s is not read, for no layout has this name (msa-load %s%s)", u->d->path,
                 what, option, likely ? "" : ", by a NAME of msa-load(1)");
    msa_free(m, option);
}

/* ---- Keys ---- */

/* Numbers of samples: of rank 2 at least, the first axis theirs, where that is known. */
static bool is_features(const struct pickle_value *v, bool flat, size_t samples)
{
    const struct pickle_array *a = v->kind == PICKLE_ARRAY ? v->array : NULL;
    return a && strchr("fiu", a->kind) && a->rank >= 2 && a->count &&
           (flat || !samples || a->shape[0] == samples);
}

/* The name of item i of a dict that is neither known there nor renamed; NULL: it is no such, or no
 * text. Owned by the run. */
static char *unknown_name(struct dataset *d, const struct pickle_value *dict, size_t i, int where)
{
    const struct pickle_value *key = dict->items[2 * i];
    if ((key->kind != PICKLE_TEXT && key->kind != PICKLE_BYTES) || key->length > BODY_KEY)
        return NULL;
    char *name = pickle_text(pickle_set_of(d)->pickle, key);
    if (!naming_known(naming_of(d->naming, name), where))
        return name;
    msa_free(d->m, name);
    return NULL;
}

static void tell_of_key(struct unknown *u, enum split split, const char *name,
                        const struct pickle_array *a, const char *dtype)
{
    const struct pickle_set *set = pickle_set_of(u->d);
    const char *likely = naming_likely(name, NAME_PICKLE);
    char shape[128];
    char *what = msa_format(u->d->m, "'%s' (%s %s%s%s)", name, dtype,
                            tensor_shape_text(shape, a->rank, a->shape), set->flat ? "" : " in ",
                            set->flat ? "" : split_names[split]);
    bool taken = false;
    for (int field = 0; likely && field < FIELDS; field++)
        taken |= strcmp(pickle_field_key(field), likely) == 0 && set->splits[split].of[field];
    tell(u, what, name, likely, taken);
    msa_free(u->d->m, what);
}

static void tell_of_keys(struct unknown *u, enum split split)
{
    const struct pickle_set *set = pickle_set_of(u->d);
    const struct pickle_value *dict = set->splits[split].dict;
    for (size_t i = 0; dict && i < dict->length; i++) {
        const struct pickle_value *v = dict->items[2 * i + 1];
        char dtype[PICKLE_DTYPE];
        if (!is_features(v, set->flat, u->d->split[split].count))
            continue;
        char *name = unknown_name(u->d, dict, i, NAME_PICKLE);
        if (name && is_new(u, name))
            tell_of_key(u, split, name, v->array, pickle_dtype_text(dtype, v));
        msa_free(u->d->m, name);
    }
}

/* ---- Splits ---- */

/* Samples in a dict, if it may be a split: of a key that is read, or would be by another name, or
 * in features; 0: none. */
static size_t samples_in(struct dataset *d, const struct pickle_value *dict)
{
    size_t samples = 0;
    for (size_t i = 0; i < dict->length && !samples; i++) {
        const struct pickle_value *key = dict->items[2 * i], *v = dict->items[2 * i + 1];
        const struct pickle_array *a = v->kind == PICKLE_ARRAY && v->array->rank ? v->array : NULL;
        if ((key->kind != PICKLE_TEXT && key->kind != PICKLE_BYTES) || key->length > BODY_KEY)
            continue;
        char *name = pickle_text(pickle_set_of(d)->pickle, key);
        if (naming_likely(naming_of(d->naming, name), NAME_PICKLE) || is_features(v, true, 0))
            samples = a ? a->shape[0] : v->kind == PICKLE_LIST ? v->length : 0;
        msa_free(d->m, name);
    }
    return samples;
}

static void tell_of_splits(struct unknown *u, const struct pickle_value *root)
{
    struct dataset *d = u->d;
    for (size_t i = 0; i < root->length; i++) {
        const struct pickle_value *dict = root->items[2 * i + 1];
        size_t samples = dict->kind == PICKLE_DICT ? samples_in(d, dict) : 0;
        char *name = samples ? unknown_name(d, root, i, NAME_SPLIT) : NULL;
        if (name && is_new(u, name)) {
            const char *likely = naming_likely(name, NAME_SPLIT);
            char *what = msa_format(d->m, "split '%s' of %zu samples", name, samples);
            tell(u, what, name, likely, likely && pickle_get(root, likely));
            msa_free(d->m, what);
        }
        msa_free(d->m, name);
    }
}

static void look(struct unknown *u, const struct pickle_value *root)
{
    for (int split = 0; split < SPLITS; split++)
        tell_of_keys(u, (enum split)split);
    tell_of_splits(u, root);
    for (size_t i = 0; i < SAID; i++)
        msa_free(u->d->m, u->names[i]);
}

void pickle_set_warn(struct dataset *d)
{
    struct unknown u = {.d = d};
    look(&u, pickle_set_of(d)->pickle->root);
    if (u.more)
        msa_warn(d->m, "%s: %zu more names that no layout has", d->path, u.more);
}

const char *pickle_set_remedy(struct dataset *d, const struct pickle_value *root)
{
    struct unknown u = {.d = d, .collecting = true};
    look(&u, root);
    return u.options ? msa_format(d->m, " (msa-load%s)", u.options) : "";
}
