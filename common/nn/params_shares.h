/* Numbers that an option of a stage has for its parameters: one for all, or by modality and by
 * name.
 */
#ifndef MSA_PARAMS_SHARES_H
#define MSA_PARAMS_SHARES_H

#include "common/run/run.h"

struct params;
struct parameter;

/* "X", or "text=X,*.bias=X": each pair is for the parameters of a modality's network, or, having a
 * `*`, for those whose whole names match that shell pattern. */
struct share {
    const char *key; /* as given, or "*" for all */
    int modality;    /* -1: key is a pattern */
    double number;
};
struct shares {
    const char *option; /* without dashes */
    int count;
    struct share *list;
};

/* Reads an option's value, with numbers from min to max; keys are those of modalities ("a|b|c").
 * Fails the run with MSA_USAGE. NULL gives none. */
struct shares shares_parse(struct msa *m, const char *option, const char *text, const char *keys,
                           double min, double max);
/* The value again, with each number in as few digits as it needs; owned by the run. */
const char *shares_text(struct msa *m, const struct shares *s);
/* The number of a parameter: that of the last pair that is for it, else `otherwise`. */
double shares_of(const struct shares *s, const struct parameter *one, double otherwise);
/* Once all parameters are made: fails the run with MSA_USAGE where a pattern matches none of them;
 * or a modality is named, and none of them is of any. */
void shares_check(const struct shares *s, struct params *p);

#endif
