/* Parameters of a training in files. */
#include "common/stage/parameter_checkpoints.h"
#include "common/stage/checkpoint_files.h"
#include "common/stage/trainable.h"
#include "common/stream/training.h"
#include <fcntl.h>
#include <libdeflate.h>
#include <string.h>

/* --- whose files they are --- */

/* FILE and its checkpoints of an earlier training are in the way. Where a resumed training begins
 * again, because nothing was committed, its first checkpoint may be there. */
static void find_old(struct trainable *t)
{
    const char *path = t->settings->params;
    bool resumed = resume_checkpoint(t->stage->header) == 0;
    t->checkpoints.replaces = file_exists(path) || checkpoint_files_exist(t->m, path, resumed);
    if (t->checkpoints.replaces && !t->settings->force)
        msa_fail(t->m, MSA_FAILED,
                 "'%s' (or a checkpoint of it) exists%s: -f trains anew and replaces it", path,
                 resumed ? ", and no commit to resume it from" : "");
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

void checkpoints_claim(struct trainable *t)
{
    const char *path = t->settings->params;
    long done = resume_checkpoint(t->stage->header);
    if (file_exists(path) && !file_is_regular(t->m, path))
        msa_fail(t->m, MSA_USAGE, "-p '%s' is not a regular file, as parameters are", path);
    claim_in_line(t);
    output_check(t->m, path, &parameters_written);
    output_check_checkpoints(t->m, path);
    file_claim(t->m, path);
    checkpoint_files_prepare(t->m, path, done < 1 ? 1 : done + 1,
                             header_checkpoints(t->stage->header));
    if (done < 1)
        find_old(t);
    file_check(t->m, path);
}

void checkpoints_replace(struct trainable *t)
{
    if (!t->checkpoints.replaces)
        return;
    file_remove(t->m, t->settings->params);
    checkpoint_files_remove(t->m, t->settings->params);
}

/* --- which training it is --- */

/* Does this note tell where the numbers were computed, and not how? */
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
    t->checkpoints.identity = crc;
    char text[TRAINING_TEXT];
    if (params_trained(&t->params))
        training_put(t->stage->header, training_text(text, crc, 0));
}

/* A training of which nothing was committed begins again, and writes over the checkpoint that it
 * may have saved before it was killed; not over that of another. */
static void check_first(struct trainable *t)
{
    const char *path = checkpoint_file_path(t->m, t->settings->params, 1);
    if (t->settings->force || !file_exists(path))
        return;
    struct safetensors *file = safetensors_open(t->m, path);
    const char *training = safetensors_metadata(file, "training");
    if (!training || !training_is_whole(training) ||
        training_own(training) != t->checkpoints.identity)
        msa_fail(t->m, MSA_FAILED,
                 "'%s' is a checkpoint of another training: -f trains anew and replaces it", path);
    safetensors_close(t->m, file);
}

void checkpoints_begin(struct trainable *t)
{
    identify(t);
    if (t->settings->params && resume_checkpoint(t->stage->header) == 0)
        check_first(t);
}

/* --- saving --- */

static struct checksum save(struct trainable *t, const char *path, bool moments)
{
    const char *all[TRAINABLE_NOTES + 6][2];
    size_t count = 0;
    all[count][0] = "program", all[count++][1] = t->m->program;
    all[count][0] = "version", all[count++][1] = MSA_VERSION;
    char checkpoint[32], seed[32];
    snprintf(checkpoint, sizeof checkpoint, "%ld", t->checkpoints.last);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->params.seed);
    all[count][0] = "checkpoint", all[count++][1] = checkpoint;
    all[count][0] = "training", all[count++][1] = t->checkpoints.training;
    if (t->checkpoints.line)
        all[count][0] = "line", all[count++][1] = t->checkpoints.line;
    all[count][0] = "seed", all[count++][1] = seed;
    for (int i = 0; i < t->note_count; i++, count++)
        memcpy(all[count], t->notes[i], sizeof all[count]);
    return params_save(&t->params, path, moments, all, count);
}

/* Which bytes a file has: a map of `bytes` and `crc32`. */
static void put_checksum(struct control *c, value *state, const char *key, struct checksum sum)
{
    value v = value_map();
    value_set(c->m, c->zone, &v, "bytes", value_of_int((int64_t)sum.bytes));
    value_set(c->m, c->zone, &v, "crc32", value_of_int(sum.crc32));
    value_set(c->m, c->zone, state, key, v);
}

/* Of the checkpoint `last`, in the place of those of the one before. */
static void take_names(struct trainable *t, const value *control)
{
    struct parameter_checkpoints *p = &t->checkpoints;
    msa_free(t->m, p->line);
    msa_free(t->m, p->path);
    p->line = training_line(t->m, control);
    p->path = checkpoint_file_path(t->m, t->settings->params, p->last);
}

/* What a file would have noted, where there is none. */
static void put_notes(struct trainable *t, struct control *c, value *state)
{
    value notes = value_map();
    for (int i = 0; i < t->note_count; i++)
        value_set(t->m, c->zone, &notes, t->notes[i][0], value_str(t->m, c->zone, t->notes[i][1]));
    value_set(t->m, c->zone, state, "notes", notes);
}

void checkpoints_save(struct trainable *t, struct control *c, value *state)
{
    struct parameter_checkpoints *p = &t->checkpoints;
    if (!t->settings->params) {
        put_notes(t, c, state);
        return;
    }
    p->last = (long)value_int(&c->map, "checkpoint", 0);
    p->best = value_bool(&c->map, "best", true);
    if (p->last < 1)
        msa_fail(t->m, MSA_CORRUPT, "way back: a control without the number of its checkpoint");
    training_text(p->training, p->identity, training_settings(c));
    checkpoints_look(t);
    take_names(t, &c->map);
    checkpoint_file_expect(t->m, t->settings->params, p->last);
    put_checksum(c, state, "file", save(t, p->path, true));
    p->last_mark = mark_of(t->m, p->path);
    if (p->kept)
        put_checksum(c, state, "best", p->file);
    value_set(t->m, c->zone, state, "training", value_str(t->m, c->zone, p->training));
}

void checkpoints_committed(struct trainable *t)
{
    struct parameter_checkpoints *p = &t->checkpoints;
    const char *path = t->settings->params;
    if (!path)
        return;
    if (p->best) {
        p->file = save(t, path, false);
        p->file_mark = mark_of(t->m, path);
        p->kept = true;
    }
    checkpoint_file_remove(t->m, path, p->last - 2);
}

void checkpoints_look(struct trainable *t)
{
    mark_check(t->m, &t->checkpoints.file_mark);
    mark_check(t->m, &t->checkpoints.last_mark);
}

/* --- going on --- */

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

static struct checksum checksum_in(struct msa *m, const value *state, const char *key)
{
    const value *v = resume_map(m, state, key);
    return (struct checksum){.bytes = (uint64_t)resume_int(m, v, "bytes"),
                             .crc32 = resume_crc32(m, v, "crc32")};
}

static void check_file(struct trainable *t, const char *path, const value *state, const char *key)
{
    struct checksum expected = checksum_in(t->m, state, key);
    struct checksum found = checksum_of_file(t->m, path, UINT64_MAX);
    if (!checksum_same(found, expected))
        refuse_file(t, path, found, expected, resume_training(t->m, state));
}

/* What a training has noted, and where that is. */
struct kept {
    const char *whose;
    size_t count;
    const char *(*notes)[2];
};

/* NULL: it is not there. */
static const char *find_note(size_t count, const char *(*notes)[2], const char *key)
{
    size_t i = 0;
    while (i < count && strcmp(notes[i][0], key) != 0)
        i++;
    return i < count ? notes[i][1] : NULL;
}

static void compare_settings(struct trainable *t, const struct kept *kept)
{
    for (int i = 0; i < t->note_count; i++) {
        const char *key = t->notes[i][0], *now = t->notes[i][1];
        const char *before = find_note(kept->count, kept->notes, key);
        if (before && strcmp(before, now) == 0)
            continue;
        if (!before)
            msa_fail(t->m, MSA_USAGE, "%s was trained without %s, and not with %s", kept->whose,
                     key, now);
        if (!of_machine(key))
            msa_fail(t->m, MSA_USAGE, "%s was trained with %s %s, and not with %s", kept->whose,
                     key, before, now);
        msa_warn(t->m, "%s was trained with %s %s, and not with %s: the last bits may differ",
                 kept->whose, key, before, now);
    }
}

/* What all files have, besides notes. */
static const char own_keys[] = "program,version,checkpoint,training,line,seed";

/* A setting that it was trained with, and that is none now. */
static void compare_gone(struct trainable *t, const struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        const char *key = kept->notes[i][0];
        if (!find_note((size_t)t->note_count, t->notes, key) && !option_names(own_keys, key))
            msa_fail(t->m, MSA_USAGE, "%s was trained with %s %s, and not without it", kept->whose,
                     key, kept->notes[i][1]);
    }
}

static void compare_notes(struct trainable *t, const char *whose, size_t count,
                          const char *(*notes)[2])
{
    const struct kept kept = {whose, count, notes};
    compare_settings(t, &kept);
    compare_gone(t, &kept);
}

/* The same where put_notes has put them. */
static void compare_put(struct trainable *t, const value *state)
{
    const value *map = resume_map(t->m, state, "notes");
    size_t count = map->via.map.size;
    const char *(*notes)[2] = msa_calloc(t->m, count + 1, sizeof *notes);
    for (size_t i = 0; i < count; i++) {
        char key[BODY_KEY + 1];
        value_key(map, (uint32_t)i, key);
        notes[i][0] = msa_strndup(t->m, key, strlen(key));
        notes[i][1] = resume_text(t->m, map, key);
    }
    compare_notes(t, "what is to be resumed", count, notes);
}

/* The settings being the same, another identity comes from other initial values. */
static void compare_initial(struct trainable *t, const char *training)
{
    if (training_own(training) != t->checkpoints.identity)
        msa_fail(t->m, MSA_USAGE,
                 "the training that is to be resumed began with other initial values (--init)");
}

static void restore_parameters(struct trainable *t, const char *path, const value *state)
{
    check_file(t, path, state, "file");
    struct safetensors *file = safetensors_open(t->m, path);
    compare_notes(t, file->path, file->metadata_count, file->metadata);
    snprintf(t->checkpoints.training, TRAINING_TEXT, "%s", resume_training(t->m, state));
    compare_initial(t, t->checkpoints.training);
    params_restore(&t->params, file);
    safetensors_close(t->m, file);
    t->checkpoints.last_mark = mark_of(t->m, path);
}

/* What was done when the checkpoint was committed, or should have been, is done again. */
void checkpoints_restore(struct trainable *t, const value *state)
{
    struct parameter_checkpoints *p = &t->checkpoints;
    const struct header *h = t->stage->header;
    const char *path = t->settings->params;
    bool none = value_get(state, "notes");
    if (none == (path != NULL))
        msa_fail(t->m, MSA_USAGE, "what is to be resumed has %s here, and now there are %s",
                 none ? "no parameters" : "parameters", none ? "some" : "none");
    if (none) {
        compare_put(t, state);
        return;
    }
    p->last = resume_checkpoint(h);
    p->best = resume_best(h);
    take_names(t, value_get(&h->map, "resume"));
    restore_parameters(t, p->path, state);
    p->kept = value_get(state, "best");
    if (p->kept)
        p->file = checksum_in(t->m, state, "best");
    if (p->kept && !p->best) /* else it is written anew */
        check_file(t, path, state, "best");
    if (p->kept)
        p->file_mark = mark_of(t->m, path);
    checkpoint_file_remove(t->m, path, p->last + 1);
    checkpoints_committed(t);
}
