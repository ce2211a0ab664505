/* A learning rate that falls when the loss of validation no longer does: PyTorch's
 * ReduceLROnPlateau with its defaults (msa-backprop(1), Learning rate). */
#ifndef MSA_PLATEAU_H
#define MSA_PLATEAU_H

#include "common/stream/control.h"
#include "common/stream/record.h"

struct plateau {
    double rate;         /* after warm-up */
    long patience;       /* checkpoints without a lower loss that it bears */
    double best;         /* the lowest loss so far; infinite: none */
    int64_t waited;      /* checkpoints since that, or since the rate fell */
    double sum, samples; /* of losses since the last checkpoint, each times its samples */
};

struct plateau plateau_new(double rate, long patience);
/* A record of validation: its weighted total loss counts, as often as it has samples. Fails the run
 * with MSA_FAILED where it has no loss. */
void plateau_add(struct plateau *p, const struct record *r);
/* The next checkpoint, whose loss is the mean over the samples since the last one. Has the rate
 * fallen? Fails the run with MSA_CORRUPT where no sample has come. */
bool plateau_next(struct plateau *p, struct msa *m);

/* What the rates to come depend on, as `plateau` into a stage's state and out of it. */
void plateau_save(const struct plateau *p, struct control *c, value *state);
void plateau_restore(struct plateau *p, struct msa *m, const value *state);

#endif
