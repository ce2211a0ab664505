/* The variants of a program, and which options they take. */
#include "common/run/option.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int option_tables(const struct program *program, struct msa *m,
                  struct option_table tables[OPTION_TABLES])
{
    int count = 0;
    tables[count++] = (struct option_table){program->options, m ? m->settings : NULL, NULL};
    tables[count++] = (struct option_table){program->more, m ? m->settings : NULL, NULL};
    for (int i = 0; program->variants && program->variants[i]; i++) {
        const struct variant *v = program->variants[i];
        assert(i < VARIANTS_MOST);
        tables[count++] = (struct option_table){v->options, m ? m->variants[i] : NULL, v};
    }
    tables[count++] = (struct option_table){common_options, m ? &m->common : NULL, NULL};
    return count;
}

uint32_t option_given(struct msa *m, const char *name)
{
    struct option_table tables[OPTION_TABLES];
    int count = option_tables(m->of, m, tables), at = 0;
    for (int i = 0; i < count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++, at++)
            if (strcmp(o->name, name) == 0)
                return m->given[at];
    assert(!"an option of the program");
    return 0;
}

char *variant_names(const struct program *program, const char *separator, char text[OPTION_ARG])
{
    size_t used = 0;
    for (int i = 0; program->variants[i]; i++) {
        used += (size_t)snprintf(text + used, OPTION_ARG - used, "%s%s", i ? separator : "",
                                 program->variants[i]->name);
        assert(used < OPTION_ARG);
    }
    return text;
}

const char *option_arg(const struct program *program, const struct option *o, char text[OPTION_ARG])
{
    if (o->kind != OPTION_VARIANT)
        return o->arg;
    size_t used = strlen(variant_names(program, "|", text));
    assert(used + sizeof "|auto" <= OPTION_ARG);
    strcpy(text + used, "|auto");
    return text;
}

const struct variant *variant_named(const struct msa *m, const char *name)
{
    int i = 0;
    while (m->of->variants[i] && strcmp(m->of->variants[i]->name, name) != 0)
        i++;
    return m->of->variants[i];
}

void option_variants(struct msa *m, const char *option, const char *list)
{
    const char *names[VARIANTS_MOST];
    int count = 0;
    for (; m->of->variants[count]; count++)
        names[count] = m->of->variants[count]->name;
    option_subset(m, option, list, names, count);
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

static bool taken_by_any(const struct chosen *c, const struct option *o)
{
    for (int i = 0; i < c->count; i++)
        if (c->variants[i] && takes(c->variants[i], o))
            return true;
    return false;
}

/* "dnn, lstm": those that were chosen, each once; "": none. */
static const char *names_of(struct msa *m, const struct chosen *c)
{
    const char *names = "";
    for (int i = 0; i < c->count; i++) {
        bool before = false;
        for (int k = 0; k < i; k++)
            before = before || c->variants[k] == c->variants[i];
        if (c->variants[i] && !before)
            names = msa_join(m, names, ", ", c->variants[i]->name);
    }
    return names;
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

/* Of an option that was given for these keys. */
static void check_one(struct msa *m, const struct chosen *c, const struct option *o, uint32_t keys)
{
    const char *names = keys ? takers(m, o) : NULL;
    if (!names)
        return;
    const char *chosen = names_of(m, c);
    if (!*chosen)
        msa_fail(m, MSA_USAGE, "--%s is for %s, which nothing here goes through", o->name, names);
    const struct variant *one = keys == UINT32_MAX ? NULL : refuses_key(c, o, keys);
    if (one || (keys == UINT32_MAX && !taken_by_any(c, o)))
        msa_fail(m, MSA_USAGE, "--%s is for %s, not for %s", o->name, names,
                 one ? one->name : chosen);
}

static int index_of(const struct msa *m, const struct variant *v)
{
    int i = 0;
    while (m->of->variants[i] != v)
        i++;
    return i;
}

const void *variant_settings(const struct msa *m, const struct variant *v)
{
    return m->variants[index_of(m, v)];
}

void options_check_taken(struct msa *m, const struct variant *const *chosen, int count)
{
    const struct chosen c = {chosen, count};
    struct option_table tables[OPTION_TABLES];
    int table_count = option_tables(m->of, m, tables), at = 0;
    for (int i = 0; i < table_count; i++)
        for (const struct option *o = tables[i].options; o && o->name; o++)
            check_one(m, &c, o, m->given[at++]);
    for (int i = 0; i < count; i++)
        if (chosen[i])
            m->chosen |= UINT32_C(1) << index_of(m, chosen[i]);
}

bool variant_chosen(const struct msa *m, const struct variant *v)
{
    return m->chosen >> index_of(m, v) & 1;
}
