/* The parameters of a stage: named, drawn from the seed or loaded by name, updated by the
 * optimizer, saved. params.c makes them, params_train.c updates and saves them, params_freeze.c
 * says which are trained, params_finite.c whether they are finite.
 *
 * Names and shapes are ConFEDE's, so that checkpoints interchange (msa-model(7), Encoders). */
#ifndef MSA_PARAMS_H
#define MSA_PARAMS_H

#include "common/formats/safetensors.h"
#include "common/nn/optimizer.h"
#include "common/nn/tape.h"
#include "common/run/option.h"

/* How a parameter starts when no file gives it. */
enum start {
    START_ZERO,
    START_ONE,
    START_UNIFORM /* U(-bound, bound), drawn by the parameter's name; layers of a
                   * stack start equal */
};

struct parameter {
    char *name;
    struct var var;          /* on the device for the whole run; var.wants: it is trained now */
    long t;                  /* updates so far */
    float *moments[MOMENTS]; /* on the device; each is NULL until an optimizer has kept it */
    long frozen;             /* epochs for which it is not trained; LONG_MAX: all */
    bool buffer;             /* kept with the parameters, never trained */
    struct device *device;
    struct stack *stack; /* that it is part of; NULL: of none */
};

/* The gradients by all parameters that are trained at some time, one behind the other. */
struct gradients {
    struct device *device;
    float *all; /* on the device; NULL: nothing is trained */
    size_t count;
};

struct params {
    struct msa *m;
    struct device *device;
    uint64_t seed;
    const struct option_list *frozen; /* "GLOB" or "GLOB@N" of names that are not trained, at all or
                                         for N epochs; may be NULL */
    bool fixed;                       /* none is trained, and a file must give each: evaluation */
    const char *required; /* the file that must have what is made now; NULL: none must */
    int source_count;
    const struct safetensors **sources; /* files with values; the last that has one gives it */
    int count, capacity;
    struct parameter **list;
    uint32_t initial;            /* in training, CRC-32 of all names and initial values */
    struct gradients *gradients; /* params_gradients has made them; NULL: not yet */
};

struct params params_new(struct msa *m, struct device *device, uint64_t seed,
                         const struct option_list *frozen);
/* PREFIX.NAME, owned by the run. */
char *params_name(struct params *p, const char *prefix, const char *name);

/* A file whose values are taken by name; behind those there are, or before all. */
void params_source(struct params *p, const struct safetensors *file, bool first);

/* A parameter of that name and shape. Its values are those of the last source that has them, else
 * drawn. Fails the run with MSA_CORRUPT, before memory is taken for it, when the shape there is
 * another ("FILE: tensor 'NAME': shape [32,10] but expected [32,12]"), or when it must be in a
 * source and is not ("FILE: no tensor 'NAME', expected with shape [32,12]"). */
struct var *params_add(struct params *p, const char *name, enum start start, float bound, int rank,
                       const size_t *shape);
/* `count` parameters of one shape [n,…], one behind the other in memory, as one variable
 * [count n,…]. */
struct var *params_stack(struct params *p, int count, const char *const *names, enum start start,
                         float bound, int rank, const size_t *shape);
/* Numbers that belong to the parameters but are not trained; host[count], unless a source has
 * them. */
struct var *params_buffer(struct params *p, const char *name, int rank, const size_t *shape,
                          const float *host);
bool params_trained(const struct params *p); /* is any of them trained, in any epoch? */

/* Fails the run with MSA_USAGE when a glob of `frozen` matches none of them. */
void params_check_frozen(struct params *p);
/* What is trained in this epoch, from 1: var.wants of all. */
void params_epoch(struct params *p, long epoch);
/* Are all of them finite, on the device as they are now? Buffers count too. */
bool params_finite(const struct params *p);
/* Warns, once, of a file that has given values which are not finite: "FILE: 3 of 1024 parameters
 * are not finite, the first is 'NAME' with nan at [0,2]". */
void params_warn(const struct params *p);
/* Takes everything, values, counts of updates and the moments that are there, from a file that
 * params_save has written; else fails the run with MSA_CORRUPT: "FILE: no tensor 'step.NAME'
 * with a number from 0 to 16777216". */
void params_restore(struct params *p, const struct safetensors *file);
/* Writes PATH (safetensors_write); with moments these and the counts of updates too, by PyTorch's
 * names: "exp_avg.NAME" and so on, "step.NAME". */
struct checksum params_save(struct params *p, const char *path, bool moments,
                            const char *const (*metadata)[2], size_t metadata_count);

/* Takes memory for gradients, zeros; to be called once, when all parameters have been made. */
void params_gradients(struct params *p);
void params_zero_gradients(struct params *p);
/* One optimizer step on all that are trained now; their gradients are those of the last backward
 * pass. Fails the run with MSA_CORRUPT where what was restored lacks a moment that the optimizer
 * has kept so far. */
void params_update(struct params *p, const struct optimizer *o);

#endif
