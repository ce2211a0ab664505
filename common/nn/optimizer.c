/* Learning rate schedule, the optimizer's part of a G frame, and its rules. */
#include "common/nn/optimizer.h"
#include <fnmatch.h>
#include <math.h>
#include <string.h>

const char *const rule_names[RULES] = {"adamw", "adam", "hf-adamw", "sgd"};
const char *const moment_names[MOMENTS] = {"exp_avg.", "exp_avg_sq.", "max_exp_avg_sq.",
                                           "momentum_buffer."};

const char *const clip_at_names[] = {"batch", "update"};

double optimizer_rate(double lr, long step, long warm, long total, bool linear)
{
    if (step < warm)
        return lr * (double)step / (double)warm;
    if (!linear)
        return lr;
    return step < total ? lr * ((double)(total - step) / (double)(total - warm)) : 0;
}

bool optimizer_waits(long accumulate, long step, long steps)
{
    long of_epoch = step % steps + 1;
    return of_epoch % accumulate != 0 && of_epoch != steps;
}

/* --- on the way back --- */

static void say_adam(struct msa *m, msgpack_zone *zone, value *map, const struct optimizer *o)
{
    value_set(m, zone, map, "beta1", value_of_real(o->beta1));
    value_set(m, zone, map, "beta2", value_of_real(o->beta2));
    value_set(m, zone, map, "eps", value_of_real(o->eps));
    value_set(m, zone, map, "amsgrad", value_of_bool(o->amsgrad));
}

static void say_clip(struct msa *m, msgpack_zone *zone, value *map, const struct optimizer *o)
{
    value_set(m, zone, map, "clip", value_of_real(o->clip));
    value_set(m, zone, map, "clip_at", value_str(m, zone, clip_at_names[o->clip_at]));
}

void optimizer_say(struct msa *m, struct record *g, const struct optimizer *o)
{
    value map = value_map();
    value_set(m, g->zone, &map, "name", value_str(m, g->zone, rule_names[o->rule]));
    if (o->rule == RULE_SGD)
        value_set(m, g->zone, &map, "momentum", value_of_real(o->momentum));
    else
        say_adam(m, g->zone, &map, o);
    value_set(m, g->zone, &map, "decay", value_of_real(o->decay));
    value_set(m, g->zone, &map, "no_decay", value_str(m, g->zone, o->no_decay));
    if (o->clip > 0)
        say_clip(m, g->zone, &map, o);
    value_set(m, g->zone, &g->map, "lr", value_of_real(o->lr));
    if (o->waits) /* else it is not said, as before there were groups */
        value_set(m, g->zone, &g->map, "update", value_of_bool(false));
    value_set(m, g->zone, &g->map, "optimizer", map);
}

static enum rule rule_heard(struct msa *m, const struct record *g, const value *map)
{
    const value *name = value_get(map, "name");
    for (int i = 0; i < RULES; i++)
        if (value_equals(name, rule_names[i]))
            return (enum rule)i;
    msa_fail(m, MSA_CORRUPT,
             "way back: the gradient of step %lld names no optimizer that is known (adamw, adam, "
             "hf-adamw, sgd)",
             (long long)g->step);
}

static enum clip_at clip_at_heard(struct msa *m, const struct record *g, const value *map)
{
    const value *name = value_get(map, "clip_at");
    if (!name || value_equals(name, clip_at_names[CLIP_AT_BATCH]))
        return CLIP_AT_BATCH;
    if (!value_equals(name, clip_at_names[CLIP_AT_UPDATE]))
        msa_fail(m, MSA_CORRUPT,
                 "way back: the gradient of step %lld is to be clipped neither at batch nor at "
                 "update",
                 (long long)g->step);
    return CLIP_AT_UPDATE;
}

struct optimizer optimizer_hear(struct msa *m, const struct record *g)
{
    const value *map = value_get(&g->map, "optimizer");
    const char *no_decay = value_text(g->zone, map, "no_decay");
    double lr = value_real(&g->map, "lr", NAN);
    if (!isfinite(lr))
        msa_fail(m, MSA_CORRUPT, "way back: the gradient of step %lld names no learning rate",
                 (long long)g->step);
    return (struct optimizer){.rule = rule_heard(m, g, map),
                              .lr = lr,
                              .waits = !value_bool(&g->map, "update", true),
                              .beta1 = value_real(map, "beta1", .9),
                              .beta2 = value_real(map, "beta2", .999),
                              .eps = value_real(map, "eps", 1e-8),
                              .amsgrad = value_bool(map, "amsgrad", false),
                              .momentum = value_real(map, "momentum", 0),
                              .decay = value_real(map, "decay", 0),
                              .clip = value_real(map, "clip", 0),
                              .clip_at = clip_at_heard(m, g, map),
                              .no_decay = no_decay ? no_decay : ""};
}

/* --- rules --- */

bool optimizer_clips(const struct optimizer *o)
{
    return o->clip > 0 && (o->clip_at == CLIP_AT_BATCH || !o->waits);
}

bool optimizer_keeps(const struct optimizer *o, enum moment moment)
{
    bool adam = o->rule != RULE_SGD;
    switch (moment) {
    case MOMENT_FIRST:
    case MOMENT_SECOND:
        return adam;
    case MOMENT_MOST:
        return adam && o->amsgrad;
    default:
        return !adam && o->momentum != 0;
    }
}

bool optimizer_spares(struct msa *m, const struct optimizer *o, const char *parameter)
{
    bool found = false;
    for (const char *word = o->no_decay; *word && !found;) {
        size_t length = strcspn(word, ",");
        char *one = msa_strndup(m, word, length);
        found = length && (strchr(one, '*') ? fnmatch(one, parameter, 0) == 0
                                            : strstr(parameter, one) != NULL);
        msa_free(m, one);
        word += length + (word[length] == ',');
    }
    return found;
}

/* Weights decay by the gradient (adam, sgd), before the step (adamw) or after it (hf-adamw), whose
 * eps is not divided by the correction of v. */
struct update optimizer_update(const struct optimizer *o, long t)
{
    bool raw = o->rule == RULE_HF_ADAMW;
    double keep = 1 - o->lr * o->decay;
    double correct1 = 1 - pow(o->beta1, (double)t), root = sqrt(1 - pow(o->beta2, (double)t));
    double adam = raw ? o->lr * root / correct1 : o->lr / correct1;
    return (struct update){.l2 =
                               (float)(o->rule == RULE_ADAM || o->rule == RULE_SGD ? o->decay : 0),
                           .new1 = (float)(1 - o->beta1),
                           .old2 = (float)o->beta2,
                           .new2 = (float)(1 - o->beta2),
                           .root = (float)(raw ? 1 : root),
                           .eps = (float)o->eps,
                           .before = (float)(o->rule == RULE_ADAMW ? keep : 1),
                           .after = (float)(raw ? keep : 1),
                           .momentum = (float)o->momentum,
                           .step = (float)(o->rule == RULE_SGD ? o->lr : adam)};
}
