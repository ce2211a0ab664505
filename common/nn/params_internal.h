/* What the files of params.h share. */
#ifndef MSA_PARAMS_INTERNAL_H
#define MSA_PARAMS_INTERNAL_H

#include "common/nn/params.h"

/* Parameters of one shape [n,...], one after the other in memory, as one variable [count n,...]. */
struct stack {
    struct var var;
    bool trained; /* one of them is, in some epoch */
    struct device *device;
};

/* The host's memory for the pieces of a tensor of `all` numbers, the caller's to free. */
static inline float *params_piece(struct msa *m, size_t all)
{
    return msa_calloc(m, safetensor_piece_size(all, 0), sizeof(float));
}

/* Memory of the device for [count], zeroed or undefined; fails the run with MSA_DEVICE. */
float *params_floats(struct params *p, size_t count, bool zero);
/* A file's tensor of that name (the parameter's, or a moment's of it); NULL: there is none. Fails
 * the run with MSA_CORRUPT where its shape is not the parameter's. */
const struct safetensor *params_find(const struct params *p, const struct safetensors *file,
                                     const char *name, const struct parameter *one);
/* The parameter's tensor in the last source that has one, and which source that is; NULL: none has.
 */
const struct safetensor *params_given(const struct params *p, const struct parameter *one,
                                      const struct safetensors **from);
/* Fails the run with MSA_CORRUPT: that file lacks the parameter's tensor. */
_Noreturn void params_missing(struct params *p, const struct safetensors *file,
                              const struct parameter *one);
/* For how many epochs options freeze a parameter; LONG_MAX: for all. */
long params_frozen(const struct params *p, const char *name);

#endif
