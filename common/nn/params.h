/* The parameters of a stage: named tensors that are initialized or loaded, updated by the
 * optimizer, and saved. params.c makes them, params_train.c updates and saves them, params_freeze.c
 * says which are trained, params_shares.c at which rates, params_finite.c whether they are finite.
 *
 * A network's names and shapes are those that it has elsewhere, so that its checkpoints can be
 * exchanged (msa-model(7), Encoders). */
#ifndef MSA_PARAMS_H
#define MSA_PARAMS_H

#include "common/formats/safetensors.h"
#include "common/nn/init.h"
#include "common/nn/optimizer.h"
#include "common/nn/params_shares.h"
#include "common/nn/tape.h"
#include "common/run/option.h"

/* May files lack a buffer's tensor? */
enum presence {
    BUFFER_REQUIRED, /* evaluation fails without it, as without a parameter: running statistics */
    BUFFER_OPTIONAL  /* then it keeps its initial values: what says how data are prepared */
};

struct parameter {
    char *name;
    struct var var;          /* on the device for the whole run; var.wants: it is trained now */
    long t;                  /* updates so far */
    float *moments[MOMENTS]; /* [var.shape] on the device; NULL until an optimizer has kept it */
    int modality;            /* whose network it is part of; -1: of no single one's */
    long frozen;             /* epochs for which it is not trained; LONG_MAX: all */
    bool buffer;             /* see params_buffer; frozen is LONG_MAX */
    enum presence presence;  /* of a buffer; BUFFER_REQUIRED for all others */
    struct device *device;
    struct stack *stack; /* that it is part of; NULL: of none */
};

/* The gradients with respect to all parameters that are trained in some epoch, one after the other.
 */
struct gradients {
    struct device *device;
    float *all; /* [count] on the device; NULL: nothing is trained */
    size_t count;
    bool wait; /* for an update: what comes is added to them */
};

struct params {
    struct msa *m;
    struct device *device;
    uint64_t seed;
    const struct option_list *frozen; /* "GLOB" or "GLOB@N" of names that are not trained, at all or
                                         for N epochs; may be NULL */
    struct shares rates;              /* by which the learning rate is multiplied; else 1 */
    struct shares decays;             /* of weights; else the optimizer's */
    int modality;                     /* of what is made now; -1: of none, or of several */
    bool fixed;           /* none is trained, and a file must provide each: evaluation */
    const char *required; /* the file that must have what is made now; NULL: none must */
    int source_count;
    const struct safetensors **sources; /* files with values; the last that has a tensor counts */
    int alias_count;
    const char *(*aliases)[2]; /* prefixes of names, see params_draw_as */
    int count, capacity;
    struct parameter **list;
    uint32_t initial;            /* in training, CRC-32 of all names and initial values */
    struct gradients *gradients; /* NULL until params_gradients */
};

struct params params_new(struct msa *m, struct device *device, uint64_t seed,
                         const struct option_list *frozen);
/* PREFIX.NAME, owned by the run. */
char *params_name(struct params *p, const char *prefix, const char *name);

/* Adds a file from which values are taken by name; it counts before those already there, or, if it
 * is to be the first, after them. */
void params_source(struct params *p, const struct safetensors *file, bool first);

/* What is to be said of a file in which something is missing: ": its metadata do not say that
 * msa-predict wrote it"; "" where they do. Owned by the run. */
const char *params_stranger(const struct params *p, const struct safetensors *file);
/* Does this file have any of the parameters by name? */
bool params_in(const struct params *p, const struct safetensors *file);

/* Random initial values depend on the seed and the parameter's name alone. From now on those of
 * PREFIX.NAME are drawn by the name AS.NAME, so that layers of a stack start equal, as PyTorch's
 * copies of one layer do. Both texts must live as long as `p`. */
void params_draw_as(struct params *p, const char *prefix, const char *as);

/* A parameter of that name and shape; rank 1 to VAR_RANK. Its values are those of the last source
 * that has it, else `init`. Fails the run with MSA_CORRUPT, before memory is taken for it, when the
 * source's shape is another ("FILE: tensor 'NAME': shape [32,10] but expected [32,12]"), or when a
 * source must have it and none does ("FILE: no tensor 'NAME', expected with shape [32,12]"). */
struct var *params_add(struct params *p, const char *name, struct init init, int rank,
                       const size_t *shape);
/* `count` parameters of one shape [n,...], one after the other in memory, as one variable
 * [count n,...]; with INIT_VALUES each starts as these. */
struct var *params_stack(struct params *p, int count, const char *const *names, struct init init,
                         int rank, const size_t *shape);
/* A tensor that belongs to the parameters but is never trained: it has no gradient, no optimizer
 * updates or decays it, and --freeze makes no difference to it. It is part of every checkpoint, of
 * what a resumed training begins with, and of FILE, like a parameter.
 *
 * forward() may write it in a training record (tape.train), as BatchNorm does its running
 * statistics: on the device, by a kernel in the tape's current lane, and in that lane alone. It
 * must not write it in other records, nor when `fixed`. */
struct var *params_buffer(struct params *p, const char *name, struct init init, int rank,
                          const size_t *shape, enum presence presence);
/* A parameter that is trained only if that is asked for, by an option of its network: else it keeps
 * its initial values, as one that is frozen does. */
struct var *params_add_if(struct params *p, bool asked, const char *name, struct init init,
                          int rank, const size_t *shape);
bool params_trained(const struct params *p); /* is any of them trained, in any epoch? */

/* Fails the run with MSA_USAGE when a glob of `frozen` matches none of them; and as shares_check.
 */
void params_check_named(struct params *p);
/* Sets var.wants of all: whether it is trained in this epoch, from 1. */
void params_epoch(struct params *p, long epoch);
/* Are all of them finite, on the device as they are now? Buffers count too. */
bool params_finite(const struct params *p);
/* Warns, once, of a file that has provided values which are not finite: "FILE: 3 of 1024 parameters
 * are not finite, the first is 'NAME' with nan at [0,2]". */
void params_warn(const struct params *p);
/* Loads everything, values, counts of updates, and the moments and gradients that are there, from a
 * file that params_save has written, once there is memory for gradients; else fails the run with
 * MSA_CORRUPT: "FILE: no tensor 'step.NAME' with a number from 0 to 16777216". */
void params_restore(struct params *p, const struct safetensors *file);
/* Writes PATH (safetensors_write); with `moments` these and the counts of updates too, by PyTorch's
 * names: "exp_avg.NAME" and so on, "step.NAME"; and gradients that wait for an update, "grad.NAME".
 */
struct checksum params_save(struct params *p, const char *path, bool moments,
                            const char *const (*metadata)[2], size_t metadata_count);

/* Takes memory for gradients, zeroed; to be called once, when all parameters have been made. */
void params_gradients(struct params *p);
/* Before a backward pass, which adds to gradients: zeroes them, unless they wait for an update. */
void params_ready_gradients(struct params *p);
/* One optimizer step on all that are trained now, with the gradients that backward passes have
 * added up since the last one; where the optimizer waits, none: the gradients stay. Either way they
 * are cut first where it says so. Fails the run with MSA_CORRUPT where what was restored lacks a
 * moment that the optimizer has kept so far. */
void params_update(struct params *p, const struct optimizer *o);

#endif
