/* The files with values of parameters, and what they have noted. */
#include "common/stage/parameter_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is kept with the parameters --- */

void trainable_note(struct trainable *t, const char *key, const char *text)
{
    int i = 0;
    while (i < t->note_count && strcmp(t->notes[i][0], key) != 0)
        i++;
    if (i == TRAINABLE_NOTES)
        msa_fail(t->m, MSA_FAILED, "more than %d notes on parameters", TRAINABLE_NOTES);
    t->note_count += i == t->note_count;
    t->notes[i][0] = msa_strndup(t->m, key, strlen(key));
    t->notes[i][1] = msa_strndup(t->m, text, strlen(text));
}

const char *trainable_noted(const struct trainable *t, const char *key)
{
    return t->given ? safetensors_metadata(t->given, key) : NULL;
}

/* Scripts give all files to all stages: what another program has noted, or another variant of this
 * one, is of its own networks. */
static const char *note_of(const struct trainable *t, const struct safetensors *file,
                           const char *key)
{
    const char *program = safetensors_metadata(file, "program"),
               *variant = safetensors_metadata(file, t->m->of->chosen_by);
    bool another = (program && strcmp(program, t->m->program) != 0) ||
                   (variant && t->part_count && strcmp(variant, t->parts[0].model->is.name) != 0);
    return another ? NULL : safetensors_metadata(file, key);
}

const char *trainable_initial_note(const struct trainable *t, const char *key)
{
    const char *found = NULL;
    for (int i = t->params.source_count; i-- > 0 && !found;)
        found = note_of(t, t->params.sources[i], key);
    return found;
}

void trainable_missing(struct trainable *t, const char *what, const char *missing)
{
    if (*missing)
        msa_warn(t->m, "of the %s that %s is made for, %s do not arrive: they count as 0", what,
                 t->given->path, missing);
}

const struct safetensor *trainable_given(const struct trainable *t, const char *name)
{
    return t->given ? safetensors_find(t->given, name) : NULL;
}

const char *trainable_origin(const struct trainable *t, const char *key, bool given)
{
    return given ? msa_format(t->m, "--%s", key)
                 : msa_format(t->m, "%s: '%s'", t->given ? t->given->path : "--init", key);
}

/* A whole number that a file has noted, from 1 to `most`. */
static long noted_int(struct trainable *t, const char *key, const char *text, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < 1 || number > most)
        msa_fail(t->m, MSA_CORRUPT, "%s is '%.32s' but expected a number from 1 to %ld",
                 trainable_origin(t, key, false), text, most);
    return number;
}

long trainable_int(struct trainable *t, const char *key, long given, long usual, long most)
{
    const char *text = trainable_initial_note(t, key);
    long noted = text ? noted_int(t, key, text, most) : usual;
    if (text && t->given && given && noted != given)
        msa_fail(t->m, MSA_USAGE, "--%s: %ld given but %s has %ld", key, given, t->given->path,
                 noted);
    long result = given ? given : noted;
    trainable_note(t, key, msa_format(t->m, "%ld", result));
    return result;
}

/* The index of a word that a file has noted, below `none`. */
static int noted_word(struct trainable *t, const char *key, const char *words, int none,
                      const char *text)
{
    int word = option_index(words, '|', text);
    if (word < 0 || word >= none)
        msa_fail(t->m, MSA_CORRUPT, "%s is '%.32s', which is not known",
                 trainable_origin(t, key, false), text);
    return word;
}

int trainable_choice(struct trainable *t, const char *key, const char *words, int given, int usual)
{
    const char *text = trainable_initial_note(t, key);
    int none = option_index(words, '|', strrchr(words, '|') + 1);
    int noted = text ? noted_word(t, key, words, none, text) : usual;
    int result = given == none ? noted : given;
    if (text && t->given && result != noted)
        msa_fail(t->m, MSA_USAGE, "--%s: %s given but %s has %s", key,
                 option_word(t->m, words, given), t->given->path, text);
    trainable_note(t, key, option_word(t->m, words, result));
    return result;
}

const char *trainable_text(struct trainable *t, const char *key, const char *given,
                           const char *usual)
{
    const char *noted = trainable_initial_note(t, key);
    if (noted && t->given && given && strcmp(noted, given) != 0)
        msa_fail(t->m, MSA_USAGE, "--%s: %s given but %s has %s", key, given, t->given->path,
                 noted);
    const char *result = given ? given : noted ? noted : usual;
    trainable_note(t, key, result);
    return result;
}

const char *trainable_optional(struct trainable *t, const char *key, const char *given)
{
    const char *noted = t->given ? trainable_noted(t, key) : trainable_initial_note(t, key);
    if (t->stage->header->train)
        noted = NULL;
    if (t->given && given && !noted && safetensors_metadata(t->given, "program"))
        msa_fail(t->m, MSA_USAGE, "--%s: %s given but %s has none", key, given, t->given->path);
    return given || noted ? trainable_text(t, key, given, noted) : NULL;
}

long trainable_optional_int(struct trainable *t, const char *key, long given, long most)
{
    const char *text = given ? msa_format(t->m, "%ld", given) : NULL;
    return trainable_optional(t, key, text) ? trainable_int(t, key, given, given, most) : 0;
}

/* --- files to begin with --- */

void trainable_initial(struct trainable *t, struct safetensors *file)
{
    params_source(&t->params, file, true);
}

/* Warns when stages were trained apart, of other trainings once; but two of one program, such as an
 * encoder of text and one of the rest, may each come of a training of its own. */
static void compare_checkpoint(struct trainable *t, long mine)
{
    struct header *h = t->stage->header;
    const value *program = value_get(&h->map, "checkpoint_by");
    const char *line = trainable_noted(t, "line"),
               *before = value_text(h->zone, &h->map, "checkpoint_line");
    long others = (long)value_int(&h->map, "checkpoint", mine);
    bool apart = !(program && value_equals(program, t->m->program));
    bool strange = apart && line && before && *before && strcmp(line, before) != 0;
    if (apart && mine != others)
        msa_warn(t->m, "%s is of checkpoint %ld but the stages before are of %ld", t->given->path,
                 mine, others);
    else if (strange)
        msa_warn(t->m, "%s is of another training than the parameters of the stages before",
                 t->given->path);
    if (strange) /* it has been said, or a later one is to say it */
        line = t->m->common.quiet ? before : "";
    if (line && !(before && !*before))
        value_set(t->m, h->zone, &h->map, "checkpoint_line", value_str(t->m, h->zone, line));
    value_set(t->m, h->zone, &h->map, "checkpoint", value_of_int(mine));
    value_set(t->m, h->zone, &h->map, "checkpoint_by", value_str(t->m, h->zone, t->m->program));
}

/* Warns when the data set is of another family than the parameters; of all stages that are, one. */
static void compare_family(struct trainable *t, const char *mine)
{
    struct header *h = t->stage->header;
    const value *said = value_get(&h->map, "family_parameters");
    if (strcmp(mine, h->family) == 0 || (said && value_equals(said, mine)))
        return;
    msa_warn(
        t->m,
        "%s was trained on family %s, but the data set is of family %s: labels and predictions "
        "are on different scales (msa-load --family says what a data set is of)",
        t->given->path, mine, h->family);
    if (!t->m->common.quiet) /* else a later one is to say it */
        value_set(t->m, h->zone, &h->map, "family_parameters", value_str(t->m, h->zone, mine));
}

/* Evaluation takes the family of a set without labels from the parameters. */
static void compare_notes(struct trainable *t)
{
    struct header *h = t->stage->header;
    const char *family = trainable_noted(t, "family"),
               *checkpoint = trainable_noted(t, "checkpoint");
    if (!h->family[0] && family)
        snprintf(h->family, sizeof h->family, "%s", family);
    else if (family)
        compare_family(t, family);
    if (checkpoint)
        compare_checkpoint(t, strtol(checkpoint, NULL, 10));
}

/* The files of --init are the first sources but for those of trainable_initial, which come before;
 * behind them is FILE. */
static const struct safetensors *initial_file(const struct trainable *t, int i)
{
    int behind = t->settings->init.count + (t->given != NULL) - i;
    return t->params.sources[t->params.source_count - behind];
}

void parameter_files_warn(struct trainable *t)
{
    for (int i = 0; i < t->settings->init.count; i++) {
        const struct safetensors *file = initial_file(t, i);
        if (!safetensors_metadata(file, "program") && !params_in(&t->params, file))
            msa_warn(t->m, "%s has no parameter of these by name, and gives none its value%s",
                     file->path, params_stranger(&t->params, file));
    }
}

void parameter_files_open(struct trainable *t)
{
    const struct trainable_settings *set = t->settings;
    for (int i = 0; i < set->init.count; i++)
        params_source(&t->params, safetensors_open(t->m, set->init.values[i]), false);
    if (t->stage->header->train || !set->params)
        return;
    t->given = safetensors_open(t->m, set->params);
    params_source(&t->params, t->given, false);
    compare_notes(t);
}

void parameter_files_check(struct trainable *t)
{
    const char *path = t->settings->params;
    bool any = t->params.count;
    if (path && t->part_count && !any)
        msa_fail(t->m, MSA_USAGE, "-p '%s': these networks have no parameters", path);
    if (!path && any && t->stage->header->train)
        msa_fail(t->m, MSA_USAGE, "training needs -p FILE, where the parameters go");
    if (any && !t->stage->header->train && !t->params.source_count)
        msa_fail(t->m, MSA_USAGE, "evaluation needs -p FILE, the parameters");
}
