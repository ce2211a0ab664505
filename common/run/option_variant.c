/* The variants of a program, and which options they take. */
#include "common/run/option.h"

#include <stdio.h>
#include <string.h>

int option_tables(const struct program *program, struct msa *m,
                  struct option_table tables[OPTION_TABLES])
{
    int count = 0;
    tables[count++] = (struct option_table){program->options, m ? m->settings : NULL, false};
    tables[count++] = (struct option_table){program->more, m ? m->settings : NULL, false};
    for (int i = 0; program->variants && program->variants[i] && i < VARIANTS_MOST; i++)
        tables[count++] =
            (struct option_table){program->variants[i]->options, m ? m->variants[i] : NULL, true};
    tables[count++] = (struct option_table){common_options, m ? &m->common : NULL, false};
    return count;
}

const char *option_arg(const struct program *program, const struct option *o, char text[OPTION_ARG])
{
    size_t used = 0;
    if (o->kind != OPTION_VARIANT)
        return o->arg;
    for (int i = 0; program->variants[i]; i++)
        used += (size_t)snprintf(text + used, OPTION_ARG - used, "%s|", program->variants[i]->name);
    snprintf(text + used, OPTION_ARG - used, "auto");
    return text;
}

const void *variant_settings(const struct msa *m, const struct variant *v)
{
    int i = 0;
    while (m->of->variants[i] != v)
        i++;
    return m->variants[i];
}

void option_variants(struct msa *m, const char *option, const char *list)
{
    const char *names[VARIANTS_MOST];
    int count = 0;
    for (; m->of->variants[count]; count++)
        names[count] = m->of->variants[count]->name;
    option_subset(m, option, list, names, count);
}

/* ---- What was given ---- */

static void each_given(struct msa *m, void *closure,
                       void (*see)(struct msa *m, void *closure, const struct option *o,
                                   uint32_t keys))
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(m->of, m, tables), at = 0;
    for (int i = 0; i < count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++, at++)
            see(m, closure, o, m->given[at]);
}

struct asked {
    const char *name;
    uint32_t keys;
};

static void see_asked(struct msa *m, void *closure, const struct option *o, uint32_t keys)
{
    struct asked *asked = closure;
    (void)m;
    if (strcmp(o->name, asked->name) == 0)
        asked->keys = keys;
}

uint32_t option_given(struct msa *m, const char *name)
{
    struct asked asked = {name, 0};
    each_given(m, &asked, see_asked);
    return asked.keys;
}

/* ---- What is taken ---- */

static bool takes(const struct variant *v, const struct option *o)
{
    for (const struct option *own = v->options; own && own->name; own++)
        if (own == o)
            return true;
    return v->takes && option_names(v->takes, o->name);
}

/* The names of the variants that take the option; NULL: it is not for variants. */
static const char *takers(struct msa *m, const struct option *o)
{
    const char *names = NULL;
    for (int i = 0; m->of->variants[i]; i++)
        if (takes(m->of->variants[i], o))
            names = msa_format(m, "%s%s%s", names ? names : "", names ? ", " : "",
                               m->of->variants[i]->name);
    return names;
}

struct chosen {
    const struct variant *const *variants;
    int count;
};

/* Given for all: does none of them take it? */
static bool refused_by_all(const struct chosen *c, const struct option *o)
{
    for (int i = 0; i < c->count; i++)
        if (c->variants[i] && takes(c->variants[i], o))
            return false;
    return true;
}

/* "transformer, bert": those that were chosen, each once. */
static const char *names_of(struct msa *m, const struct chosen *c)
{
    const char *names = "";
    for (int i = 0; i < c->count; i++)
        if (c->variants[i] && !option_names(names, c->variants[i]->name))
            names = msa_format(m, "%s%s%s", names, *names ? "," : "", c->variants[i]->name);
    return *names ? names : "none";
}

/* The first that does not take what is given for it. */
static const struct variant *refuses_key(const struct chosen *c, const struct option *o,
                                         uint32_t keys)
{
    for (int i = 0; i < c->count; i++)
        if (keys >> i & 1 && c->variants[i] && !takes(c->variants[i], o))
            return c->variants[i];
    return NULL;
}

static void see_taken(struct msa *m, void *closure, const struct option *o, uint32_t keys)
{
    const struct chosen *c = closure;
    const char *names = keys ? takers(m, o) : NULL;
    if (!names)
        return;
    const struct variant *one = keys == UINT32_MAX ? NULL : refuses_key(c, o, keys);
    if (one || (keys == UINT32_MAX && refused_by_all(c, o)))
        msa_fail(m, MSA_USAGE, "--%s is for %s, but %s is chosen", o->name, names,
                 one ? one->name : names_of(m, c));
}

void options_check_taken(struct msa *m, const struct variant *const *chosen, int count)
{
    struct chosen c = {chosen, count};
    each_given(m, &c, see_taken);
}
