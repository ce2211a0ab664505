/* The parameters of a stage: named, drawn from the seed or loaded by name, updated by the
 * optimizer, saved.
 *
 * Names and shapes are ConFEDE's, so that checkpoints interchange (msa-model(7), Encoders). */
#ifndef MSA_PARAMS_H
#define MSA_PARAMS_H

#include "common/cli/option.h"
#include "common/data/safetensors.h"
#include "common/nn/optimizer.h"
#include "common/nn/tape.h"

/* How a parameter starts when no file gives it. */
enum start {
    START_ZERO,
    START_ONE,
    START_UNIFORM /* U(-bound, bound), drawn by the parameter's name; layers of a
                   * stack start equal */
};

struct parameter {
    char *name;
    struct var var;          /* on the device for the whole run; var.wants: it is trained */
    long t;                  /* updates so far */
    float *moments[MOMENTS]; /* on the device; each is NULL until an optimizer has kept it */
    bool buffer;             /* kept with the parameters, never trained */
    bool loaded;             /* a file gave it */
    struct device *device;
};

struct params {
    struct msa *m;
    struct device *device;
    uint64_t seed;
    const struct option_list *frozen; /* globs of names that are not trained; may be NULL */
    bool fixed;                       /* none is trained: evaluation */
    const struct safetensors *given;  /* has them all; NULL: none does, or it is not known */
    int count, capacity;
    struct parameter **list;
};

struct params params_new(struct msa *m, struct device *device, uint64_t seed,
                         const struct option_list *frozen);

/* A parameter of that name and shape, its starting values drawn. Where `given` is known, it must
 * have it in that shape (MSA_CORRUPT as below), before memory is taken for it; values are those
 * that params_load will bring. */
struct var *params_add(struct params *p, const char *name, enum start start, float bound, int rank,
                       const size_t *shape);
/* Numbers that belong to the parameters but are not trained; host[count]. */
struct var *params_buffer(struct params *p, const char *name, int rank, const size_t *shape,
                          const float *host);
bool params_trained(const struct params *p); /* is any of them trained? */

/* Takes the values of all parameters that the file has by name. Fails the run with MSA_CORRUPT when
 * a shape differs: "FILE: tensor 'NAME': shape [32,10] but expected [32,12]". */
void params_load(struct params *p, const struct safetensors *file);
/* Fails the run when a parameter was in no file: "FILE: no tensor 'NAME', shape [32,12]". */
void params_require(struct params *p, const char *path);
/* Takes everything, values, counts of updates and the moments that are there, from a file that
 * params_save has written; else fails the run with MSA_CORRUPT: "FILE: no tensor 'step.NAME'
 * with a number from 0 to 16777216". */
void params_restore(struct params *p, const struct safetensors *file);
/* Writes PATH (safetensors_write); with moments these and the counts of updates too, by PyTorch's
 * names: "exp_avg.NAME" and so on, "step.NAME". */
void params_save(struct params *p, const char *path, bool moments, const char *const (*metadata)[2],
                 size_t metadata_count);

void params_zero_gradients(struct params *p);
/* One optimizer step on all that are trained; their gradients are those of the last backward pass.
 * Fails the run with MSA_CORRUPT where what was restored lacks a moment that the optimizer has kept
 * so far. */
void params_update(struct params *p, const struct optimizer *o);

#endif
