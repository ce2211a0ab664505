/* What the optimizer is told with each gradient: said once, at msa-backprop, and carried by every G
 * frame. */
#ifndef MSA_OPTIMIZER_H
#define MSA_OPTIMIZER_H

#include "common/stream/record.h"

struct optimizer {
    double lr; /* of this step, after warm-up and decay */
    double beta1, beta2, eps;
    double decay;         /* decoupled weight decay */
    const char *no_decay; /* comma-separated; parameters whose name contains one do not decay */
    long t;               /* this update's number, from 1 */
};

/* The rate at `step` (from 0) of `total`: linear from 0 over `warm` steps, then linear to 0 at
 * `total`, or constant. msa-model(7), Training. */
double optimizer_rate(double lr, long step, long warm, long total, bool linear);
/* Into a G record's map ("lr", "optimizer"), and out of it; a G without them fails the run with
 * MSA_CORRUPT. */
void optimizer_say(struct msa *m, struct record *g, const struct optimizer *o);
struct optimizer optimizer_hear(struct msa *m, const struct record *g);
bool optimizer_decays(const struct optimizer *o, const char *parameter);

#endif
