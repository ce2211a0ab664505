/* A training that can be killed
 *
 * A training may be killed at any moment, in any of its programs, by a signal or a full disk. With
 * msa-load --resume, and everything else as before, the same line goes on from its last checkpoint
 * and ends with the same bytes in all files as if nothing had happened. That rests on three rules:
 * all programs take part in each checkpoint; one rename commits it for all of them; and until then
 * nothing is lost that the checkpoint before needs.
 *
 * A checkpoint. msa-load has sent all records, waits until all gradients have come, and sends a
 * control C. Down the line C passes msa-metrics, which adds its verdict, and the stages with
 * parameters, which say whether these are finite; if not, the end of the line fails here, before
 * anything is saved. There C turns round. On the way back each stage saves, first the last one,
 * then the one before it: FILE.N with parameters and the optimizer's moments
 * (parameter_checkpoints.c), its log up to here, synced, and in C itself, as its state, what else
 * its numbers depend on. All files that a state speaks of are on the disk by then, and the state
 * has their lengths and CRCs. So when C is back at msa-load all is safe but C, and msa-load writes
 * C to a temporary file, syncs it and renames it to --state FILE (feeder.c, stream/commit.c). This
 * rename is the commit: before it the training is at checkpoint N-1, after it at N. msa-load sends
 * nothing until it has committed, so the next frame tells the stages of it (note_commit in
 * stage.c): only now FILE becomes what FILE.N is, if that is the best so far, and FILE.N-2 is
 * removed.
 *
 * What a kill leaves:
 * - before the commit of N: the commit of N-1, and the files that it names. There may be files N of
 *   some stages, and rows of logs since N-1: the stages that resume remove and cut off these.
 * - after it: the commit of N, and the files N of all stages. FILE may not be up to date: a stage
 *   that resumes does again all that it does when N is committed.
 * - before the first commit: no commit. The training begins anew, and a stage accepts FILE.1 of the
 *   same training, which it will write again.
 * - before the first training step has come back: whatever was there. A training with -f, in place
 *   of an earlier one, touches nothing until the whole line is known to work: at the first gradient
 *   msa-load removes the old commit, and not before that the stages remove old parameters and cut
 *   old logs (note_standing in stage.c). So a commit never outlives the files that it names.
 * A temporary file or a lock that a killed program has left is removed by the next program that
 * writes this file (run/file_lock.c); two lines cannot write one file at a time.
 *
 * Resuming. msa-load reads the commit and puts its C into the header as `resume`; each stage finds
 * its own state there by number and name (stream/resume.c). Before it goes on it compares all on
 * which the bytes depend, and a difference is refused: the settings in the state with its own; the
 * programs of the line (by its end); data, ids and labels (msa-load); lengths and CRCs of FILE.N,
 * of FILE and of the committed part of the log; and that these files are of this training, by its
 * identity (stream/training.c). Random numbers need no state: they depend on the seed, a name and
 * the step alone (run/random.h). The records are those after step C.step, in an order that depends
 * on seed and epoch, also in the middle of an epoch, of which msa-metrics has kept its part so far.
 *
 * While it runs, a program claims its files (run/file_lock.c), and looks at each checkpoint and at
 * the end whether they are as it left them (run/mark.c, log_sync): the next commit would otherwise
 * speak of files that another program has changed. */
#include "common/stage/checkpoint.h"
#include "common/run/checksum.h"
#include "common/run/log.h"
#include "common/stream/training.h"
#include <string.h>

/* Does the stage have a state? */
static bool has_state(const struct stage *s)
{
    return s->ops->settings || s->ops->save;
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

static value settings_of(const struct stage *s, msgpack_zone *zone)
{
    return s->ops->settings ? resume_settings(s->m, zone, s->ops->settings) : value_map();
}

void checkpoint_resume(struct stage *s)
{
    const value *state = NULL; /* the training begins, or nothing is trained */
    if (has_state(s) && s->header->train) {
        value settings = settings_of(s, s->header->zone);
        state = resume_state(s->header, &settings);
        if (s->ops->turn)
            resume_line(s->header);
        if (s->ops->identifies)
            training_add_settings(s->header, &settings);
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
        value_set(s->m, c->zone, &state, "settings", settings_of(s, c->zone));
    control_add_state(s->m, c, s->position, state);
    if (s->ops->turn)
        training_put_line(c, s->header);
}
