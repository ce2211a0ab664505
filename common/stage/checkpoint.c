/* A training that can be killed
 *
 * A training may be killed at any moment, in any of its programs, by a signal, or end at a full
 * disk. With msa-load --resume, and everything else as before, the same line goes on from its last
 * checkpoint, and ends with the same bytes in all files as if nothing had happened. That rests on
 * three rules: all programs take part in each checkpoint; a single rename commits it for all of
 * them; and until then nothing is lost that the previous checkpoint needs.
 *
 * Checkpoint N. msa-load sends validation and, when all gradients have come, a control C. On the
 * way down the stages with parameters say in C whether these are finite, and msa-metrics adds its
 * verdict. At the end of the line C turns round; if parameters are not finite, that stage
 * fails instead, before anything is saved. On the way back each stage saves, from the last one to
 * the first (msa-loss, which takes no gradients, has saved on the way down): FILE.N with
 * parameters and the optimizer's moments (parameter_checkpoints.c), its log so far, and in C, as
 * its state, what else its numbers depend on. A file is on the disk before the state has its length
 * and CRC. When C has come back to msa-load all is safe but C itself. msa-load writes it to a
 * temporary file, and renames that to --state FILE (feeder.c, stream/commit.c). This rename is the
 * commit: before it the training is at checkpoint N-1, after it at N. msa-load sends nothing until
 * it has committed, so the next frame tells the stages of it (note_commit in stage.c). Only now
 * FILE becomes what FILE.N is, if that is the best so far or if nothing selects, and FILE.N-2 goes.
 *
 * What a kill leaves:
 * - before the commit of N: the commit of N-1, with all files that belong to it. Some stages may
 *   have FILE.N, and logs have rows after N-1: the line that resumes removes the one, and cuts off
 *   the other.
 * - after it: the commit of N, with all files that belong to it. FILE may not be up to date: a
 *   stage that resumes does again what it does when N is committed.
 * - before the first commit: none. The training begins anew, and a stage accepts FILE.1 if it is of
 *   the same training; it will write it again.
 * - before the first gradient: what was there. A training with -f, in place of an earlier one,
 *   touches nothing until the whole line is known to work. With the first gradient msa-load removes
 *   the old commit, and only then the stages remove old parameters and cut old logs (note_standing
 *   in stage.c), so that no commit is without its files.
 * What is renamed is whole. A temporary file and a lock that a killed program has left are removed
 * by the next one that writes the same file (run/file_lock.c).
 *
 * Resuming. msa-load reads the commit and puts its C into the header as `resume`; each stage finds
 * its own state there, by number and name (stream/resume.c). All that the bytes depend on is
 * compared first, and a difference is refused: settings with those in the state; the programs of
 * the line (its end sees all of them); ids, labels and data (msa-load); length and CRC of FILE.N,
 * of FILE, and of what is committed of the log; and, by the identity of the training, initial
 * values and whose these files are (stream/training.c). Random numbers need no state: they depend
 * on the seed, a name and the step alone (run/random.h). Records go on after the last step, in an
 * order that depends on seed and epoch alone, also within an epoch, of which msa-metrics keeps in
 * its state what it has gathered.
 *
 * While a training runs its programs hold locks on their files (run/file_lock.c), and at each
 * checkpoint and at the end see that these are as they left them (run/mark.c, log_sync): else a
 * commit would speak of files that another program has changed. */
#include "common/stage/checkpoint.h"
#include "common/run/checksum.h"
#include "common/run/log.h"
#include "common/stream/training.h"
#include <string.h>

/* Does the stage have a state? */
static bool has_state(const struct stage *s)
{
    return s->ops->settings || s->ops->save || s->ops->log;
}

/* ---- Logs: `log` bytes of it are committed, with `log_crc32` ---- */

/* The value of the option that names the log; NULL: it was not given. */
static const char *log_path(const struct stage *s)
{
    const struct option *o = s->m->of->options;
    while (strcmp(o->name, s->ops->log) != 0)
        o++;
    return *(const char *const *)((const char *)s->m->settings + o->offset);
}

static void put_log(struct control *c, value *state, struct log *log)
{
    if (!log || !log_is_regular(log))
        return;
    int64_t length = log_sync(c->m, log);
    value_set(c->m, c->zone, state, "log", value_of_int(length));
    value_set(c->m, c->zone, state, "log_crc32", value_of_int(length ? log->crc32 : 0));
}

static void check_committed(struct msa *m, const char *path, int64_t kept, uint32_t crc32)
{
    struct checksum found = checksum_of_file(m, path, (uint64_t)kept);
    if (found.crc32 != crc32)
        msa_fail(m, MSA_CORRUPT,
                 "cannot go on with '%s': its first %jd bytes have CRC-32 %08x but expected %08x",
                 path, (intmax_t)kept, found.crc32, crc32);
}

/* To go on after the committed bytes; state NULL: to begin. */
static struct log *open_log(struct msa *m, const value *state, const char *path)
{
    bool has = state && value_get(state, "log");
    int64_t kept = has ? resume_int(m, state, "log") : 0;
    uint32_t crc32 = has ? resume_crc32(m, state, "log_crc32") : 0;
    struct log *log = path ? log_open(m, path, kept) : NULL;
    bool in_file = log && log_is_regular(log);
    if (has && !in_file)
        msa_fail(m, MSA_USAGE,
                 "the training that is to be resumed has a log in a file: give its --log too");
    if (state && !has && in_file) /* with a gap it would be taken for that of a whole training */
        msa_fail(m, MSA_USAGE,
                 "the training that is to be resumed has no log in a file: leave --log '%s' out",
                 path);
    if (!kept)
        return log;
    check_committed(m, path, kept, crc32);
    log->crc32 = crc32;
    return log;
}

/* ---- The stage's part ---- */

void checkpoint_resume(struct stage *s)
{
    const value *state = NULL; /* the training begins, or nothing is trained */
    if (has_state(s) && s->header->train) {
        s->settings = s->ops->settings ? resume_settings(s->m, s->header->zone, s->ops->settings)
                                       : value_map();
        state = resume_state(s->header, &s->settings);
        if (s->ops->turn)
            resume_line(s->header);
        if (s->ops->identifies)
            training_add_settings(s->header, &s->settings);
    }
    if (state && s->ops->restore)
        s->ops->restore(s, state);
    if (s->ops->log)
        s->log = open_log(s->m, state, log_path(s));
}

void checkpoint_save(struct stage *s, struct control *c)
{
    value state = value_map();
    if (!has_state(s))
        return;
    if (s->ops->save)
        s->ops->save(s, c, &state);
    put_log(c, &state, s->log);
    if (s->ops->settings)
        value_set(s->m, c->zone, &state, "settings", s->settings);
    if (value_depth(&state) > STAGE_DEPTH)
        msa_fail(s->m, MSA_FAILED, "its state: nested deeper than %d", STAGE_DEPTH);
    control_add_state(s->m, c, s->position, state);
    if (s->ops->turn)
        training_put_line(c, s->header);
}
