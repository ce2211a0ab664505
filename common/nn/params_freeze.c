/* Which parameters are trained, and when. */
#include "common/nn/params_internal.h"
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Epochs that "GLOB@N" says; LONG_MAX for a "GLOB". `length` is the glob's. */
static long frozen_epochs(const char *text, size_t *length)
{
    char *end;
    const char *at = strrchr(text, '@');
    bool number = at && at[1] >= '0' && at[1] <= '9';
    long epochs = number ? strtol(at + 1, &end, 10) : 0;
    number = number && !*end;
    *length = number ? (size_t)(at - text) : strlen(text);
    return number ? epochs : LONG_MAX;
}

/* For how many epochs this glob freezes the parameter; -1 where it does not match. */
static long frozen_by(const struct params *p, const char *text, const char *name)
{
    size_t length;
    long epochs = frozen_epochs(text, &length);
    char *glob = msa_strndup(p->m, text, length);
    bool matches = fnmatch(glob, name, 0) == 0;
    msa_free(p->m, glob);
    return matches ? epochs : -1;
}

/* Where several globs match, the longest time counts. */
long params_frozen(const struct params *p, const char *name)
{
    long most = 0;
    for (int i = 0; p->frozen && i < p->frozen->count; i++) {
        long epochs = frozen_by(p, p->frozen->values[i], name);
        most = epochs > most ? epochs : most;
    }
    return most;
}

void params_check_named(struct params *p)
{
    shares_check(&p->rates, p);
    shares_check(&p->decays, p);
    for (int i = 0; p->frozen && i < p->frozen->count; i++) {
        bool matches = false;
        for (int k = 0; k < p->count && !matches; k++)
            matches = frozen_by(p, p->frozen->values[i], p->list[k]->name) >= 0;
        if (!matches)
            msa_fail(p->m, MSA_USAGE, "--freeze: '%s' matches no parameter (the first is '%s')",
                     p->frozen->values[i], p->count ? p->list[0]->name : "");
    }
}

void params_epoch(struct params *p, long epoch)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i]->stack)
            p->list[i]->stack->var.wants = false;
    for (int i = 0; i < p->count; i++) {
        struct parameter *one = p->list[i];
        one->var.wants = epoch > one->frozen;
        if (one->stack && one->var.wants)
            one->stack->var.wants = true;
    }
}

bool params_trained(const struct params *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->list[i]->frozen < LONG_MAX)
            return true;
    return false;
}
