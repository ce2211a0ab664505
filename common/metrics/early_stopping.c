/* Early stopping. */
#include "common/metrics/early_stopping.h"
#include "common/stream/resume.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct verdict judge_next(struct judge *j, int64_t epoch, double number)
{
    bool finite = isfinite(number), stands_in = !finite && !j->numbered;
    bool better = !j->remembers || (j->smaller ? number < j->best : number > j->best);
    j->numbered |= finite;
    if (epoch <= j->after)
        return (struct verdict){.best = finite || stands_in};
    if (better && finite) {
        j->remembers = true;
        j->best = number;
        j->best_epoch = epoch;
        j->waited = 0;
    } else if (!stands_in) {
        j->waited++;
    }
    return (struct verdict){.best = (better && finite) || stands_in,
                            .stop = j->patience && j->waited >= j->patience};
}

struct verdict judge_scores(struct judge *j, const struct scores *s, const char *key)
{
    const struct scores_split *valid = NULL;
    double number;
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->splits[i].name, split_names[VALID]) == 0)
            valid = &s->splits[i];
    if (!valid || !valid->samples)
        msa_fail(s->m, MSA_CORRUPT,
                 "--select judges on the valid split, but no sample of it has come");
    if (!scores_value(s, valid, key, &number))
        msa_fail(s->m, MSA_FAILED, "--select: no loss '%s' arrives in the valid split", key);
    return judge_next(j, valid->epoch, number);
}

void judge_tell_stop(const struct judge *j, const struct control *c, const char *key)
{
    const char *when = value_bool(&c->map, "epoch_done", true) ? "after" : "in";
    const char *plural = j->waited == 1 ? "" : "s";
    if (c->m->common.quiet)
        return;
    fprintf(stderr, "%s: stopped %s epoch %jd: %s was not ", c->m->program, when,
            (intmax_t)value_int(&c->map, "epoch", 0), key);
    if (j->remembers)
        fprintf(stderr, "%s at %jd checkpoint%s than at epoch %jd, %.6g\n",
                j->smaller ? "smaller" : "larger", (intmax_t)j->waited, plural,
                (intmax_t)j->best_epoch, j->best);
    else
        fprintf(stderr, "finite at %jd checkpoint%s\n", (intmax_t)j->waited, plural);
}

void judge_warn(const struct judge *j, struct msa *m, const char *key)
{
    if (!j->numbered)
        msa_warn(m, "--select %s was finite at no checkpoint: the last one is kept", key);
}

/* --- checkpoints --- */

void judge_save(const struct judge *j, struct control *c, value *state)
{
    value_set(c->m, c->zone, state, "waited", value_of_int(j->waited));
    if (j->remembers) {
        value_set(c->m, c->zone, state, "best", value_of_real(j->best));
        value_set(c->m, c->zone, state, "best_epoch", value_of_int(j->best_epoch));
    }
    value_set(c->m, c->zone, state, "numbered", value_of_bool(j->numbered));
}

void judge_restore(struct judge *j, struct msa *m, const value *state)
{
    j->waited = resume_int(m, state, "waited");
    j->numbered = resume_bool(m, state, "numbered");
    j->remembers = value_get(state, "best");
    if (j->remembers) {
        j->best = resume_number(m, state, "best");
        j->best_epoch = resume_int(m, state, "best_epoch");
    }
}
