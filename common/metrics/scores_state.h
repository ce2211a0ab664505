/* What a judge has gathered, as a value that a checkpoint keeps. */
#ifndef MSA_SCORES_STATE_H
#define MSA_SCORES_STATE_H

#include "common/metrics/scores.h"

/* A map from each split of which there are samples to what is known of it. The numbers are
 * referenced. */
value scores_state(const struct scores *s, msgpack_zone *zone);
/* The other way, into scores that have no splits yet. Fails the run with MSA_CORRUPT where it is no
 * such map. */
void scores_take_state(struct scores *s, const value *state);

#endif
