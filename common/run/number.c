/* Numbers as options and assertions give them, read strictly; and as texts. */
#include "common/run/option.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void refuse_number(struct msa *m, const char *option, const char *text, double min,
                                    double max)
{
    if (min == 0 && max == 0)
        msa_fail(m, MSA_USAGE, "--%s: '%s' is not a number", option, text);
    msa_fail(m, MSA_USAGE, "--%s: '%s' is not a number from %.15g to %.15g", option, text, min,
             max);
}

static bool in_range(double number, double min, double max)
{
    return (min == 0 && max == 0) || (number >= min && number <= max);
}

/* strtol and strtod take more than a number of ours: space, plus, hexadecimal, "inf". */
static bool only_of(const char *text, const char *characters)
{
    return *text && *text != '+' && !text[strspn(text, characters)];
}

long option_int(struct msa *m, const char *option, const char *text, double min, double max)
{
    char *end = NULL;
    errno = 0;
    long number = only_of(text, "-0123456789") ? strtol(text, &end, 10) : 0;
    if (!end || end == text || *end || errno || !in_range((double)number, min, max))
        refuse_number(m, option, text, min, max);
    return number;
}

double option_real(struct msa *m, const char *option, const char *text, double min, double max)
{
    char *end = NULL;
    double number = only_of(text, "+-.0123456789eE") ? strtod(text, &end) : 0;
    if (!end || end == text || *end || !isfinite(number) || !in_range(number, min, max))
        refuse_number(m, option, text, min, max);
    return number;
}

const char *real_text(struct msa *m, double number)
{
    enum { FEW = 6, ALL = 17 };
    const char *text = NULL;
    for (int digits = FEW; digits <= ALL && (!text || strtod(text, NULL) != number); digits++)
        text = msa_format(m, "%.*g", digits, number);
    return text;
}
