/* What scores are asserted to be (--assert). */
#ifndef MSA_ASSERTIONS_H
#define MSA_ASSERTIONS_H

#include "common/metrics/scores.h"

/* "mae<0.75", with < <= > or >=. */
struct assertion {
    const char *key; /* owned by the run */
    const char *sign;
    double bound;
    const char *text; /* of the bound, as it was given */
};

/* Fails the run with MSA_USAGE where the text is none. */
struct assertion assertion_parse(struct msa *m, const char *text);
/* Fails the run with MSA_FAILED where an assertion is false of a split, which it always is of NaN;
 * all that are false but the last, the failure, are lines on stderr. */
void assertions_check(const struct scores *s, const struct assertion *assertions, int count);

#endif
