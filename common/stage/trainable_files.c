/* The files of trainable stages. */
#include "common/stage/trainable_files.h"
#include "common/nn/device.h"
#include "common/stage/checkpoint_files.h"
#include "common/stream/training.h"
#include <fcntl.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool training(const struct trainable *t)
{
    return t->stage->header->train;
}

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

const char *trainable_initial_note(const struct trainable *t, const char *key)
{
    const char *found = NULL;
    for (int i = t->params.source_count; i-- > 0 && !found;)
        found = safetensors_metadata(t->params.sources[i], key);
    return found;
}

const struct safetensor *trainable_given(const struct trainable *t, const char *name)
{
    return t->given ? safetensors_find(t->given, name) : NULL;
}

/* A whole number that a file has noted, from 1 to `most`. */
static long noted_int(struct trainable *t, const char *key, const char *text, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < 1 || number > most)
        msa_fail(t->m, MSA_CORRUPT, "%s: '%s' is '%.32s' but expected a number from 1 to %ld",
                 t->given ? t->given->path : "--init", key, text, most);
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

/* --- whose files they are --- */

/* FILE and its checkpoints of an earlier training are in the way. Where a resumed training begins
 * again, for nothing was committed, its first checkpoint may be there. */
static void find_old(struct trainable *t)
{
    const char *path = t->settings->params;
    bool resumed = resume_checkpoint(t->stage->header) == 0;
    t->replaces = file_exists(path) || saves_others(t->m, path, resumed);
    if (t->replaces && !t->settings->force)
        msa_fail(t->m, MSA_FAILED,
                 "'%s' (or a checkpoint of it) exists%s: -f trains anew and replaces it", path,
                 resumed ? ", and no commit to resume it from" : "");
}

void trainable_files_clear(struct trainable *t)
{
    file_remove(t->m, t->settings->params);
    saves_remove(t->m, t->settings->params);
}

/* Two stages that save into one file would each lose the other's parameters, or a checkpoint. */
static void refuse_shared(struct trainable *t, const char *other)
{
    struct target mine = target_of(t->m, t->settings->params), theirs = target_of(t->m, other);
    if (target_same(&mine, &theirs))
        msa_fail(t->m, MSA_USAGE, "-p '%s' is the file of a stage before too", mine.given);
    if (target_is_checkpoint(&mine, &theirs) || target_is_checkpoint(&theirs, &mine))
        msa_fail(t->m, MSA_USAGE,
                 "-p '%s' and '%s', of a stage before: one has the name of a "
                 "checkpoint of the other",
                 mine.given, other);
    target_free(t->m, &mine);
    target_free(t->m, &theirs);
}

static void claim_in_line(struct trainable *t)
{
    struct header *h = t->stage->header;
    const value *found = value_get(&h->map, "parameters");
    value files = found && found->type == MSGPACK_OBJECT_ARRAY ? *found : value_array();
    const char *file;
    for (int i = 0; (file = header_parameters(h, i)); i++)
        refuse_shared(t, file);
    value_push(t->m, h->zone, &files, value_str(t->m, h->zone, t->settings->params));
    value_set(t->m, h->zone, &h->map, "parameters", files);
}

void trainable_files_claim(struct trainable *t)
{
    if (!t->settings->params)
        msa_fail(t->m, MSA_USAGE, "training needs -p FILE, where the parameters go");
    const char *path = t->settings->params;
    long done = resume_checkpoint(t->stage->header);
    if (file_exists(path) && !file_is_regular(t->m, path))
        msa_fail(t->m, MSA_USAGE, "-p '%s' is not a regular file, as parameters are", path);
    claim_in_line(t);
    output_check(t->m, path, &saves_written);
    output_check_checkpoints(t->m, path);
    file_claim(t->m, path);
    saves_begin(t->m, path, done < 1 ? 1 : done + 1, header_checkpoints(t->stage->header));
    if (done < 1)
        find_old(t);
    file_check(t->m, path);
}

/* --- files to begin with --- */

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

void trainable_files_open(struct trainable *t)
{
    const struct trainable_settings *set = t->settings;
    for (int i = 0; i < set->init.count; i++)
        params_source(&t->params, safetensors_open(t->m, set->init.values[i]), false);
    if (training(t) || !set->params)
        return;
    t->given = safetensors_open(t->m, set->params);
    params_source(&t->params, t->given, false);
    compare_notes(t);
}

/* --- checkpoints --- */

static struct checksum save(struct trainable *t, const char *path, long checkpoint, bool moments)
{
    const char *all[TRAINABLE_NOTES + 6][2];
    size_t count = 0;
    all[count][0] = "program", all[count++][1] = t->m->program;
    all[count][0] = "version", all[count++][1] = MSA_VERSION;
    all[count][0] = "checkpoint", all[count++][1] = msa_format(t->m, "%ld", checkpoint);
    all[count][0] = "training", all[count++][1] = t->training;
    if (t->line)
        all[count][0] = "line", all[count++][1] = t->line;
    all[count][0] = "seed";
    all[count++][1] = msa_format(t->m, "%llu", (unsigned long long)t->params.seed);
    for (int i = 0; i < t->note_count; i++, count++)
        memcpy(all[count], t->notes[i], sizeof all[count]);
    return params_save(&t->params, path, moments, all, count);
}

void trainable_files_committed(struct trainable *t)
{
    const char *path = t->settings->params;
    if (t->best)
        t->best_file = save(t, path, t->checkpoint, false);
    if (t->best)
        t->file = mark_of(t->m, path);
    t->kept = t->kept || t->best;
    saves_remove_one(t->m, path, t->checkpoint - 2);
}

void trainable_files_look(struct trainable *t)
{
    mark_check(t->m, &t->file);
    mark_check(t->m, &t->save);
}

/* Its part of the checkpoint: which files go with it. */
static void put_state(struct trainable *t, struct control *c, struct checksum file)
{
    value state = value_map();
    training_put_checksum(c, &state, "file", file);
    if (t->kept)
        training_put_checksum(c, &state, "best", t->best_file);
    value_set(t->m, c->zone, &state, "training", value_str(t->m, c->zone, t->training));
    control_add_state(t->m, c, t->stage->position, state);
}

void trainable_files_checkpoint(struct trainable *t, struct control *c)
{
    t->checkpoint = (long)value_int(&c->map, "checkpoint", 0);
    t->best = value_bool(&c->map, "best", true);
    if (t->checkpoint < 1)
        msa_fail(t->m, MSA_CORRUPT, "way back: a control without the number of its checkpoint");
    t->training = training_text(t->m, t->identity, training_settings(c));
    t->line = training_line(t->m, &c->map);
    trainable_files_look(t);
    saves_expect(t->m, t->settings->params, t->checkpoint);
    const char *path = saves_path(t->m, t->settings->params, t->checkpoint);
    put_state(t, c, save(t, path, t->checkpoint, true));
    t->save = mark_of(t->m, path);
}

/* --- a training that is resumed --- */

/* What tells where the numbers were computed, and not how. */
static bool of_machine(const char *key)
{
    return strcmp(key, "device") == 0 || strcmp(key, "threads") == 0;
}

/* The training as it is seen from here: the stages upstream, what is set here, and the values with
 * which the parameters begin. A stage that trains nothing only prepares what the next is given, as
 * if it came out of a file: training on kept features is the same training, and gives the same
 * bytes. */
static void identify(struct trainable *t)
{
    const char *before = training_of(t->stage->header);
    uint32_t crc = libdeflate_crc32(t->params.initial, before, strlen(before));
    for (int i = 0; i < t->note_count; i++)
        for (int k = 0; k < 2 && !of_machine(t->notes[i][0]); k++)
            crc = libdeflate_crc32(crc, t->notes[i][k], strlen(t->notes[i][k]) + 1);
    t->identity = crc;
    if (params_trained(&t->params))
        training_put(t->stage->header, training_text(t->m, crc, 0));
}

/* The file is not the one that the commit was made with: of another training, or damaged? */
static _Noreturn void refuse_file(struct trainable *t, const char *path, struct checksum found,
                                  struct checksum expected, const char *training)
{
    int *fd = file_hold(t->m, open(path, O_RDONLY | O_CLOEXEC));
    const char *its = safetensors_note(t->m, *fd, path, "training"); /* of whatever is left */
    if (its && training_is_whole(its) && strcmp(its, training) != 0)
        msa_fail(t->m, MSA_USAGE, "%s is of another training than the commit: %s but expected %s",
                 path, its, training);
    msa_fail(
        t->m, MSA_CORRUPT,
        "%s: %ju bytes with CRC-32 %08x but the commit has %ju with %08x: the file was damaged",
        path, (uintmax_t)found.bytes, found.crc32, (uintmax_t)expected.bytes, expected.crc32);
}

static void check_file(struct trainable *t, const char *path, const value *state, const char *key)
{
    struct checksum expected = resume_checksum(t->m, state, key);
    struct checksum found = checksum_of_file(t->m, path, UINT64_MAX);
    if (!checksum_same(found, expected))
        refuse_file(t, path, found, expected, resume_training(t->m, state));
}

static void compare_settings(struct trainable *t, const struct safetensors *file)
{
    for (int i = 0; i < t->note_count; i++) {
        const char *key = t->notes[i][0], *now = t->notes[i][1];
        const char *before = safetensors_metadata(file, key);
        if (before && strcmp(before, now) == 0)
            continue;
        if (!of_machine(key))
            msa_fail(t->m, MSA_USAGE, "%s was trained with %s %s, and not with %s", file->path, key,
                     before ? before : "unknown", now);
        msa_warn(t->m, "%s was trained with %s %s, and not with %s: the last bits may differ",
                 file->path, key, before ? before : "unknown", now);
    }
}

/* With settings that are the same. */
static void compare_initial(struct trainable *t, const char *training)
{
    if (training_own(training) != t->identity)
        msa_fail(t->m, MSA_USAGE,
                 "the training that is to be resumed began with other initial values (--init)");
    t->training = training;
}

/* Goes on from checkpoint N, as committed; what was saved after it goes. */
static void restore(struct trainable *t, long n)
{
    const char *path = saves_path(t->m, t->settings->params, n);
    value none = value_map();
    const value *state = resume_state(t->stage->header, &none);
    check_file(t, path, state, "file");
    struct safetensors *file = safetensors_open(t->m, path);
    compare_settings(t, file);
    compare_initial(t, resume_training(t->m, state));
    t->line = training_line(t->m, value_get(&t->stage->header->map, "resume"));
    params_restore(&t->params, file);
    safetensors_close(t->m, file);
    t->checkpoint = n;
    t->best = resume_best(t->stage->header);
    t->kept = value_get(state, "best");
    if (t->kept)
        t->best_file = resume_checksum(t->m, state, "best");
    if (t->kept && !t->best) /* else it is made anew */
        check_file(t, t->settings->params, state, "best");
    if (t->kept)
        t->file = mark_of(t->m, t->settings->params);
    t->save = mark_of(t->m, path);
    saves_remove_one(t->m, t->settings->params, n + 1);
    trainable_files_committed(t);
}

/* Where nothing was committed the training begins anew, and writes over the checkpoint that it may
 * have saved before it was killed; not over that of another. */
static void check_first(struct trainable *t)
{
    const char *path = saves_path(t->m, t->settings->params, 1);
    if (t->settings->force || !file_exists(path))
        return;
    struct safetensors *file = safetensors_open(t->m, path);
    const char *training = safetensors_metadata(file, "training");
    if (!training || !training_is_whole(training) || training_own(training) != t->identity)
        msa_fail(t->m, MSA_FAILED,
                 "'%s' is a checkpoint of another training: -f trains anew and replaces it", path);
    safetensors_close(t->m, file);
}

void trainable_files_load(struct trainable *t)
{
    long n = training(t) ? resume_checkpoint(t->stage->header) : -1;
    if (training(t))
        identify(t);
    if (n == 0)
        check_first(t);
    if (n > 0)
        restore(t, n);
    else
        params_warn(&t->params);
    if (!training(t) && t->params.source_count == 0)
        msa_fail(t->m, MSA_USAGE, "evaluation needs -p FILE, the parameters");
}
