/* Assertions on scores. */
#include "common/metrics/assertions.h"
#include "common/run/option.h"
#include "common/run/utf8.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

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
        utf8_show(wrong);
        if (wrong[0])
            fprintf(stderr, "%s: %s\n", s->m->program, wrong);
        snprintf(wrong, sizeof wrong, "assertion failed: %s: %s %.6g %s %s", p->name, a->key,
                 known ? number : NAN, a->sign, a->text);
    }
    if (wrong[0])
        msa_fail(s->m, MSA_FAILED, "%s", wrong);
}
