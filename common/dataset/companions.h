/* Companions of the samples that are trained on, as ConFEDE has them (msa-model(7), Companions): of
 * each sample lists of others, which a survey of the line finds (msa-stream(5), Surveys), and which
 * of them come with it in a record. */
#ifndef MSA_COMPANIONS_H
#define MSA_COMPANIONS_H

#include "common/dataset/sampler.h"
#include "common/stream/control.h"
#include "common/stream/record.h"

/* Alike, opposite and deceptive ones. */
enum { COMPANION_LISTS = 3 };
enum draw { DRAW_FIRST, DRAW_RANDOM };

struct companions {
    /* Given: */
    struct msa *m;
    size_t group; /* a sample and its companions, as many of each list; 1: there are none */
    enum draw draw;
    const struct order *order; /* which samples are surveyed */

    /* Its own: */
    int64_t next;    /* the epoch in front of which the next survey is due, from 1 */
    size_t longest;  /* of a list; 0: there are no lists yet */
    int64_t *lists;  /* [surveyed,COMPANION_LISTS,longest]: places in the survey; -1 behind the last
                        of a list */
    uint32_t *place; /* of a sample in the survey */
};

/* Takes them from the control of the survey in front of an epoch, as it came back, or from the
 * state of a checkpoint. Fails the run with MSA_CORRUPT where they are not what they should be. */
void companions_take(struct companions *c, const struct control *survey, int64_t epoch);
void companions_restore(struct companions *c, const value *state);
/* Adds `companions` and `survey` to the state of a checkpoint; the numbers stay the run's. */
void companions_save(const struct companions *c, struct control *checkpoint, value *state);
/* Behind `count` samples puts their companions, group - 1 of each in turn: two alike, and so on.
 * What is drawn depends on seed and step alone. */
void companions_add(struct companions *c, uint32_t *samples, size_t count, long step);

#endif
