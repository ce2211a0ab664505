/* Early stopping: is this checkpoint the best of a training yet, and is it time to stop. */
#ifndef MSA_EARLY_STOPPING_H
#define MSA_EARLY_STOPPING_H

#include "common/metrics/scores.h"
#include "common/stream/control.h"

/* Remembers the best of one number over the checkpoints of a training. */
struct judge {
    bool smaller;   /* is better */
    long after;     /* up to this epoch the last checkpoint is the best, and none is remembered */
    long patience;  /* checkpoints without a better one until it is time to stop; 0: never */
    bool numbered;  /* the number of a checkpoint was finite, before `after` or since */
    bool remembers; /* has a best */
    double best;
    int64_t best_epoch;
    int64_t waited; /* checkpoints since the best */
};

struct verdict {
    bool best, stop;
};

/* The verdict on a checkpoint. Strictly better wins. One whose number is NaN or infinite is never
 * remembered, and never replaces one whose number was finite; but while there is no such one it
 * counts as the best, so that training always leaves parameters, and patience does not run. */
struct verdict judge_next(struct judge *j, int64_t epoch, double number);
/* The verdict on the scores of the valid split, by `key` (scores_value). Fails the run where no
 * sample of it has come, or there is no such number of it. */
struct verdict judge_scores(struct judge *j, const struct scores *s, const char *key);

/* A line on stderr (not with -q): the training ends at this checkpoint, before its last step, and
 * why: "stopped after epoch 14: mae was not smaller at 8 checkpoints than at epoch 6, 0.7123"; in
 * the middle of an epoch, "stopped in epoch 14". */
void judge_tell_stop(const struct judge *j, const struct control *c, const char *key);
/* At the end of a training: warns where there was nothing to select by. */
void judge_warn(const struct judge *j, struct msa *m, const char *key);

/* What the verdicts to come depend on, into a stage's state and out of it (struct stage_ops). */
void judge_save(const struct judge *j, struct control *c, value *state);
void judge_restore(struct judge *j, struct msa *m, const value *state);

#endif
