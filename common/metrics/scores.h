/* What a judge gathers of each split (predictions, labels, losses), and the scores that
 * come of it. */
#ifndef MSA_SCORES_H
#define MSA_SCORES_H

#include "common/metrics/metrics.h"
#include "common/metrics/tasks.h"
#include "common/stream/control.h"

enum { SCORES_SPLITS = 16, SCORES_LOSSES = TASKS_MOST };

/* The mean of a loss, weighted by samples. */
struct scores_loss {
    char name[BODY_KEY + 1];
    double sum;     /* of loss x samples */
    double samples; /* 0: not computed */
};

struct scores_split {
    char name[TENSOR_NAME + 1];
    bool train;
    bool warned;               /* has been told of by scores_warn */
    int64_t epoch;             /* of its last record */
    size_t samples, capacity;  /* gathered; room for */
    float *prediction, *label; /* [samples]; label is 0 where none come */
    int loss_count;
    struct scores_loss losses[SCORES_LOSSES];
    struct scores_loss total;    /* the weighted sum of the losses */
    double metrics[METRICS_MAX]; /* by metrics_keys, as of the last scores_judge */
};

/* Splits stand in the order in which they came. */
struct scores {
    struct msa *m;
    enum family family; /* of no account without labels */
    bool labelled;      /* labels come with the predictions */
    int count;
    struct scores_split splits[SCORES_SPLITS];
};

/* The split of that name, a new one if need be; at most SCORES_SPLITS, with names of at most
 * TENSOR_NAME bytes, else it fails the run with MSA_CORRUPT. */
struct scores_split *scores_split(struct scores *s, const char *name);
/* One sample. */
void scores_add(struct scores *s, struct scores_split *p, float prediction, float label);
/* A record's `y`, `label` and losses. Fails the run with MSA_CORRUPT where they are not as the
 * header's schema promised, which must have `y`, and `label` when s->labelled; and as
 * tasks_check_loss. */
struct scores_split *scores_add_record(struct scores *s, const struct schema *schema,
                                       const struct record *r);
/* Labels outside of the family's range. */
struct outside scores_outside(const struct scores *s);
/* Computes the metrics of each split. */
void scores_judge(struct scores *s);
/* Warns, once a split, of predictions and labels that are not finite: "valid: 3 of 229 predictions
 * are not finite". */
void scores_warn(struct scores *s, struct scores_split *p);
/* Starts a split anew; which losses it has is remembered. */
void scores_forget(struct scores_split *p);

/* A metric, the mean of a loss, or `loss`, their weighted sum. False: there is none
 * of that name. */
bool scores_value(const struct scores *s, const struct scores_split *p, const char *key,
                  double *number);
/* Fails the run, naming the option, where scores_value knows no such key in any split. */
void scores_check_key(const struct scores *s, const char *option, const char *key);
bool scores_smaller_is_better(const struct scores *s, const char *key); /* mae, and losses */

/* What has been gathered, as `splits` into a stage's state and out of it (struct stage_ops).
 * Numbers are referenced until the control has been written. Restoring takes scores without splits,
 * and fails the run with MSA_CORRUPT where the state is wrong. */
void scores_save(const struct scores *s, struct control *c, value *state);
void scores_restore(struct scores *s, const value *state);

#endif
