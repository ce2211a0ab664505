/* What the files of params.h share. */
#ifndef MSA_PARAMS_INTERNAL_H
#define MSA_PARAMS_INTERNAL_H

#include "common/nn/params.h"

/* Parameters that lie one behind the other, and all of them as one variable. */
struct stack {
    struct var var;
    bool trained; /* one of them is, at some time */
    struct device *device;
};

/* Memory of the device, of zeros or undefined; fails the run with MSA_DEVICE. */
float *params_floats(struct params *p, size_t count, bool zero);
/* The parameter's tensor in a file, by a name that may have a moment's in front, in the parameter's
 * shape; NULL: the file has none of that name. Fails the run where the shape is another. */
const struct safetensor *params_find(const struct params *p, const struct safetensors *file,
                                     const char *name, const struct parameter *one);
/* The parameter's tensor in the last source that has one, and which that is; NULL: none has. */
const struct safetensor *params_given(const struct params *p, const struct parameter *one,
                                      const struct safetensors **from);
_Noreturn void params_missing(struct params *p, const char *path, const struct parameter *one);
/* For how many epochs options freeze a parameter; LONG_MAX: for all. */
long params_frozen(const struct params *p, const char *name);

#endif
