/* Which modalities are fused. */
#include "filters/fuse/modalities.h"
#include "common/dataset/tensor_names.h"
#include "filters/fuse/fuse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- lists --- */

static int modality_named(const char *name, size_t length)
{
    int i = 0;
    while (i < MODALITIES &&
           (strlen(modality_names[i]) != length || memcmp(modality_names[i], name, length) != 0))
        i++;
    return i;
}

/* The modalities of a list, in all[MODALITIES]; returns their number. One that is there twice, or a
 * word that is none, ends it: *rest is where, NULL for the end of the list. */
static int listed(const char *list, int all[MODALITIES], const char **rest)
{
    bool met[MODALITIES + 1] = {[MODALITIES] = true};
    int count = 0;
    for (*rest = list; *rest;) {
        size_t length = strcspn(*rest, ",");
        int modality = modality_named(*rest, length);
        if (met[modality])
            return count;
        met[modality] = true;
        all[count++] = modality;
        *rest = (*rest)[length] ? *rest + length + 1 : NULL;
    }
    return count;
}

void fuse_check_order(struct msa *m, const char *order)
{
    int all[MODALITIES];
    const char *rest;
    if (!order)
        return;
    option_subset(m, "order", order, modality_names, MODALITIES);
    listed(order, all, &rest);
    if (rest)
        msa_fail(m, MSA_USAGE, "--order: '%.*s' is there twice", (int)strcspn(rest, ","), rest);
}

/* --- what is fused --- */

/* What is looked for: tensors of one kind. */
struct kind {
    char letter; /* of vectors; 0: frames */
    const char *plural, *usual;
};

/* What the parameters have been made for, as they have noted it; count 0: they have not. */
struct noted {
    int count, modalities[MODALITIES];
    size_t widths[MODALITIES];
};

static struct noted read_notes(struct trainable *t)
{
    const char *order = trainable_initial_note(t, "order"),
               *widths = trainable_initial_note(t, "widths"), *rest = NULL;
    struct noted n = {0};
    if (!order || !widths)
        return n;
    n.count = listed(order, n.modalities, &rest);
    bool fits = n.count && !rest;
    for (int i = 0; fits && i < n.count; i++) {
        char *end;
        n.widths[i] = strtoul(widths, &end, 10);
        fits =
            n.widths[i] > 0 && n.widths[i] <= SCHEMA_MOST && *end == (i + 1 < n.count ? ',' : '\0');
        widths = end + 1;
    }
    if (!fits)
        msa_fail(t->m, MSA_CORRUPT, "%s and 'widths' are no modalities and their widths",
                 trainable_origin(t, "order", false));
    return n;
}

/* Of the modality that FILE has noted as this one of all, or, without notes, that arrives. Returns
 * false where it is not fused. */
static bool find_one(struct trainable *t, const struct kind *kind, int modality, size_t noted,
                     struct fused_one *one)
{
    one->modality = modality;
    if (kind->letter)
        name_vector(one->name, kind->letter, modality);
    else
        snprintf(one->name, sizeof one->name, "%s", modality_names[modality]);
    const struct schema_entry *entry =
        schema_floats(t->m, &t->arrived, one->name, kind->letter ? 2 : 3);
    one->arrives = entry != NULL;
    one->width = entry ? entry->shape[entry->rank - 1] : noted;
    if (noted && one->width != noted)
        msa_fail(t->m, MSA_CORRUPT, "%s is for '%s' of width %zu, but it arrives with %zu",
                 t->given->path, one->name, noted, one->width);
    return one->width > 0;
}

/* Some must arrive; `order` is what was looked for. */
static void check_arrival(struct trainable *t, const struct kind *kind, const struct fused *all,
                          const char *order)
{
    const char *missing = "";
    bool some = false;
    for (int i = 0; i < all->count; i++) {
        some = some || all->of[i].arrives;
        if (!all->of[i].arrives)
            missing = msa_join(t->m, missing, ",", all->of[i].name);
    }
    if (!some)
        msa_fail(t->m, MSA_FAILED, "nothing to fuse: none of the %s of %s arrives", kind->plural,
                 order);
    trainable_missing(t, kind->plural, missing);
}

static void note(struct trainable *t, const struct fused *all)
{
    const char *order = "", *widths = "";
    for (int i = 0; i < all->count; i++) {
        order = msa_join(t->m, order, ",", modality_names[all->of[i].modality]);
        widths = msa_join(t->m, widths, ",", msa_format(t->m, "%zu", all->of[i].width));
    }
    trainable_note(t, "order", order);
    trainable_note(t, "widths", widths);
}

/* Is the order that FILE has what is left of the given one? Trained on fewer, fewer are left. */
static bool agrees(const char *given, const char *kept)
{
    int all[MODALITIES], fused[MODALITIES], met = 0;
    const char *rest;
    int count = listed(given, all, &rest), left = listed(kept, fused, &rest);
    for (int i = 0; i < count; i++)
        met += met < left && all[i] == fused[met];
    return met == left;
}

static struct fused find(struct trainable *t, const struct kind *kind, const char *given)
{
    struct noted noted = read_notes(t);
    struct fused all = {0};
    int modalities[MODALITIES];
    const char *rest, *kept = noted.count ? trainable_initial_note(t, "order") : NULL;
    if (t->given && given && kept && !agrees(given, kept))
        msa_fail(t->m, MSA_USAGE, "--order: %s given but %s has %s", given, t->given->path, kept);
    const char *order = t->given && kept ? kept : given ? given : kept ? kept : kind->usual;
    int count = listed(order, modalities, &rest);
    for (int i = 0; i < count; i++) {
        struct fused_one *one = &all.of[all.count];
        size_t width = t->given && kept ? noted.widths[i] : 0;
        if (!find_one(t, kind, modalities[i], width, one))
            continue;
        all.width += one->width;
        all.count++;
    }
    check_arrival(t, kind, &all, order);
    note(t, &all);
    return all;
}

static struct fused find_vectors(struct trainable *t, const struct kind *kind)
{
    struct fused all = find(t, kind, ((const struct fuse_settings *)t->settings)->order);
    for (int i = 0; i < all.count; i++)
        if (all.of[i].arrives)
            trainable_reads(t, all.of[i].name);
    return all;
}

struct fused fuse_vectors(struct trainable *t)
{
    return find_vectors(t, &(struct kind){'h', "vectors", "audio,vision,text"});
}

struct fused fuse_features(struct trainable *t, char letter, const char *usual)
{
    return find_vectors(t, &(struct kind){letter, "features", usual});
}

struct fused fuse_frames(struct trainable *t, const char *usual)
{
    const struct kind frames = {0, "frames", usual};
    return find(t, &frames, NULL);
}

void fuse_take(struct trainable *t, const struct fused *all, struct var *taken[MODALITIES])
{
    size_t batch = 0;
    for (int i = 0; i < all->count; i++)
        if (all->of[i].arrives)
            batch = (taken[i] = trainable_input(t, all->of[i].name))->shape[0];
    for (int i = 0; i < all->count; i++)
        if (!all->of[i].arrives)
            taken[i] = tape_zeros(&t->tape, 2, (size_t[]){batch, all->of[i].width});
}
