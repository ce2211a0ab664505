/* Numbers for parameters by modality and by name. */
#include "common/nn/params_shares.h"
#include "common/nn/params.h"
#include <fnmatch.h>
#include <string.h>

/* What reads a value. */
struct reading {
    struct shares *shares;
    const char *keys;
    double min, max;
};

static void add(struct msa *m, const struct reading *r, const char *key, int modality,
                const char *number)
{
    struct shares *s = r->shares;
    s->list = msa_realloc(m, s->list, ((size_t)s->count + 1) * sizeof *s->list);
    s->list[s->count++] =
        (struct share){key, modality, option_real(m, s->option, number, r->min, r->max)};
}

static void add_pair(struct msa *m, void *closure, const char *key, const char *number)
{
    const struct reading *r = closure;
    int modality = option_index(r->keys, '|', key);
    if (modality < 0 && !strchr(key, '*'))
        msa_fail(m, MSA_USAGE, "--%s: '%s' is none of %s, and no pattern: that has a *",
                 r->shares->option, key, r->keys);
    add(m, r, key, modality, number);
}

struct shares shares_parse(struct msa *m, const char *option, const char *text, const char *keys,
                           double min, double max)
{
    struct shares s = {.option = option};
    struct reading r = {&s, keys, min, max};
    if (text && strchr(text, '='))
        option_pairs(m, option, text, &r, add_pair);
    else if (text)
        add(m, &r, "*", -1, text);
    return s;
}

const char *shares_text(struct msa *m, const struct shares *s)
{
    const char *all = "";
    if (s->count == 1 && strcmp(s->list[0].key, "*") == 0)
        return real_text(m, s->list[0].number);
    for (int i = 0; i < s->count; i++)
        all = msa_format(m, "%s%s%s=%s", all, i ? "," : "", s->list[i].key,
                         real_text(m, s->list[i].number));
    return all;
}

static bool is_for(const struct share *s, const struct parameter *one)
{
    return s->modality < 0 ? fnmatch(s->key, one->name, 0) == 0 : s->modality == one->modality;
}

double shares_of(const struct shares *s, const struct parameter *one, double otherwise)
{
    for (int i = s->count; i-- > 0;)
        if (is_for(&s->list[i], one))
            return s->list[i].number;
    return otherwise;
}

/* A modality that this line lacks is none to a stage that has others, as with other options. */
static bool finds_any(const struct share *s, const struct params *p)
{
    for (int i = 0; i < p->count; i++)
        if (is_for(s, p->list[i]) || (s->modality >= 0 && p->list[i]->modality >= 0))
            return true;
    return false;
}

void shares_check(const struct shares *s, struct params *p)
{
    for (int i = 0; i < s->count; i++)
        if (p->count && !finds_any(&s->list[i], p))
            msa_fail(p->m, MSA_USAGE, "--%s: '%s' matches no parameter (the first is '%s')",
                     s->option, s->list[i].key, p->list[0]->name);
}
