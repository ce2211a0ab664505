/* What the optimizer is told with each gradient: said once, at msa-backprop, and carried by every G
 * frame; and what becomes of it in a parameter's update (msa-backprop(1), Optimizers). */
#ifndef MSA_OPTIMIZER_H
#define MSA_OPTIMIZER_H

#include "common/stream/record.h"
#include "kernels/kernels.h"

enum rule { RULE_ADAMW, RULE_ADAM, RULE_HF_ADAMW, RULE_SGD, RULES };
extern const char *const rule_names[RULES]; /* "adamw", … */
extern const char
    *const moment_names[MOMENTS]; /* "exp_avg.", …: PyTorch's names, before one of a parameter */

/* When what has been added up is cut: after each record, or before an update alone. */
enum clip_at { CLIP_AT_BATCH, CLIP_AT_UPDATE };
extern const char *const clip_at_names[2]; /* "batch", "update" */

struct optimizer {
    enum rule rule;
    double lr;  /* of this step, after warm-up and decay */
    bool waits; /* no update yet: the next gradient is to be added to this one */
    double beta1, beta2, eps;
    bool amsgrad;    /* of adamw and adam */
    double momentum; /* of sgd; 0: none */
    double decay;    /* of weights */
    double clip;     /* gradients by parameters are cut to between -clip and clip; 0: not */
    enum clip_at clip_at;
    const char *no_decay; /* which parameters do not decay: optimizer_spares */
};

/* The rate at `step` (from 0) of `total`: linear from 0 over `warm` steps, then linear to 0 at
 * `total`, or constant. msa-model(7), Training. */
double optimizer_rate(double lr, long step, long warm, long total, bool linear);
/* Does the update of `step` come with a later one, groups being of so many? They begin anew with
 * each epoch, of `steps`, and its last one ends with it. */
bool optimizer_waits(long accumulate, long step, long steps);
/* Into a G record's map ("lr", "optimizer"), and out of it; a G without them, or with an optimizer
 * or a time to clip that is not known, fails the run with MSA_CORRUPT. */
void optimizer_say(struct msa *m, struct record *g, const struct optimizer *o);
struct optimizer optimizer_hear(struct msa *m, const struct record *g);

/* Are gradients to be cut now? */
bool optimizer_clips(const struct optimizer *o);
/* Does it keep this moment of each parameter? */
bool optimizer_keeps(const struct optimizer *o, enum moment moment);
/* Is it a parameter that does not decay? Its name has one of the words, which commas separate; or,
 * of one with a `*`, matches that as a shell pattern, from end to end. */
bool optimizer_spares(struct msa *m, const struct optimizer *o, const char *parameter);
/* A parameter's update number t, from 1: its constants alone, no memory. `o` is what holds of this
 * parameter. */
struct update optimizer_update(const struct optimizer *o, long t);

#endif
