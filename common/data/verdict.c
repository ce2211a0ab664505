/* Verdicts on scores. */
#include "common/data/verdict.h"
#include "common/cli/option.h"
#include "common/stream/checkpoint.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct verdict judge_next(struct judge *j, int64_t epoch, double number)
{
    bool finite = isfinite(number), stands_in = !finite && !j->numbered;
    bool better = !j->remembers || (j->smaller ? number < j->best : number > j->best);
    j->numbered |= finite;
    if (epoch <= j->after)
        return (struct verdict){.best = finite || stands_in};
    if (better && finite) {
        j->remembers = true;
        j->best = number;
        j->best_epoch = epoch;
        j->waited = 0;
    } else if (!stands_in) {
        j->waited++;
    }
    return (struct verdict){.best = (better && finite) || stands_in,
                            .stop = j->patience && j->waited >= j->patience};
}

struct verdict judge_scores(struct judge *j, const struct scores *s, const char *key)
{
    const struct scores_split *valid = NULL;
    double number;
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->splits[i].name, split_names[VALID]) == 0)
            valid = &s->splits[i];
    if (!valid || !valid->samples)
        msa_fail(s->m, MSA_CORRUPT,
                 "--select judges on the valid split, but no sample of it has come");
    if (!scores_value(s, valid, key, &number))
        msa_fail(s->m, MSA_FAILED, "--select: no loss '%s' arrives in the valid split", key);
    return judge_next(j, valid->epoch, number);
}

void judge_warn(const struct judge *j, struct msa *m, const char *key)
{
    if (!j->numbered)
        msa_warn(m, "--select %s was finite at no checkpoint: the last one is kept", key);
}

/* --- checkpoints --- */

void judge_put_state(const struct judge *j, struct msa *m, msgpack_zone *zone, value *state)
{
    value_set(m, zone, state, "waited", value_of_int(j->waited));
    if (j->remembers) {
        value_set(m, zone, state, "best", value_of_real(j->best));
        value_set(m, zone, state, "best_epoch", value_of_int(j->best_epoch));
    }
    value_set(m, zone, state, "numbered", value_of_bool(j->numbered));
}

void judge_take_state(struct judge *j, struct msa *m, const value *state)
{
    j->waited = resume_int(m, state, "waited");
    j->numbered = resume_bool(m, state, "numbered");
    j->remembers = value_get(state, "best");
    if (j->remembers) {
        j->best = resume_number(m, state, "best");
        j->best_epoch = resume_int(m, state, "best_epoch");
    }
}

/* --- assertions --- */

struct assertion assertion_parse(struct msa *m, const char *text)
{
    static const char *const signs[] = {"<=", ">=", "<", ">"};
    size_t length = strcspn(text, "<>");
    int i = 0;
    while (i < 4 && strncmp(text + length, signs[i], strlen(signs[i])) != 0)
        i++;
    if (!length || i == 4)
        msa_fail(m, MSA_USAGE, "--assert: '%s' is not KEY<NUMBER (or <=, >, >=)", text);
    struct assertion a = {.key = msa_strndup(m, text, length),
                          .sign = signs[i],
                          .text = text + length + strlen(signs[i])};
    a.bound = option_real(m, "assert", a.text, 0, 0);
    return a;
}

static bool holds(const struct assertion *a, double number)
{
    bool equal = a->sign[1] && number == a->bound;
    return equal || (a->sign[0] == '<' ? number < a->bound : number > a->bound);
}

void assertions_check(const struct scores *s, const struct assertion *assertions, int count)
{
    char wrong[sizeof s->m->error] = "";
    for (int i = 0; i < count * s->count; i++) {
        const struct assertion *a = &assertions[i / s->count];
        const struct scores_split *p = &s->splits[i % s->count];
        double number;
        bool known = scores_value(s, p, a->key, &number);
        if (known && holds(a, number))
            continue;
        if (wrong[0])
            fprintf(stderr, "%s: %s\n", s->m->program, wrong);
        snprintf(wrong, sizeof wrong, "assertion failed: %s: %s %.6g %s %s", p->name, a->key,
                 known ? number : NAN, a->sign, a->text);
    }
    if (wrong[0])
        msa_fail(s->m, MSA_FAILED, "%s", wrong);
}
