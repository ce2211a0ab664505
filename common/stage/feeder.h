/* What begins a line: the records of a data set and, in training, epochs in an order drawn from the
 * seed, each followed by validation and a checkpoint, and at the end of the way back the commit
 * (msa-stream(5), "Order", "Checkpoints"). */
#ifndef MSA_FEEDER_H
#define MSA_FEEDER_H

#include "common/dataset/batch.h"
#include "common/dataset/companions.h"
#include "common/dataset/sampler.h"
#include "common/dataset/watch.h"
#include "common/run/mark.h"
#include "common/run/progress.h"
#include "common/stage/stage.h"
#include "common/stream/commit.h"
#include "common/stream/training.h"

struct source {
    /* Given: */
    struct msa *m;
    struct batcher batcher;
    size_t batch;        /* samples a record */
    struct order order;  /* of training */
    struct watch *watch; /* what is trained on; NULL: nothing is */
    long validate_every; /* steps; 0: only after an epoch */
    struct companions companions;
    const char *state; /* --state FILE; NULL: nothing is committed */
    value settings;    /* a map: what a resumed training must have in common with what it was */

    /* Its own: */
    struct stage stage;
    struct progress progress;
    uint32_t *indices; /* room for a split in its own order, and for a batch with companions */
    long waiting;      /* training records sent whose gradient has not come */
    long answered;     /* training records whose gradient has come */
    long step;         /* training steps done */
    long checkpoint;   /* the last that was sent */
    bool stop;
    bool replaces;          /* the commit of an earlier training is to go */
    struct commit *resumed; /* what the training goes on from; NULL: it begins */
    struct header *lasting; /* the header of commits */
    struct mark committed;  /* the commit, as it was left */
};

/* Training steps in an epoch. */
long source_steps(const struct source *s);
/* Checkpoints in so many epochs, where it is not stopped before. */
long source_checkpoints(const struct source *s, long epochs);
/* Keeps `state` for this run, and has the training go on from its commit if it is resumed; fails
 * the run where that is another training's. Before source_open. */
void source_claim_state(struct source *s, struct header *h, bool resume);
/* Opens the output with this header, and in training the way back. */
void source_open(struct source *s, struct header *h);
/* A split in its own order, once. */
void source_send(struct source *s, enum split split, long epoch);
/* Instead of a training: one sample goes down the line, as in validation. */
void source_check(struct source *s);
/* The whole training, or what is left of it. */
void source_train(struct source *s);

#endif
