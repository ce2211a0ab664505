/* Values of options, as texts give them. */
#include "common/run/option.h"

#include <assert.h>
#include <string.h>

static int choice(struct msa *m, const struct option *o, const char *text)
{
    int index = option_index(o->arg, '|', text);
    if (index < 0)
        msa_fail(m, MSA_USAGE, "--%s: '%s' is none of %s", o->name, text, o->arg);
    return index;
}

static void list_add(struct msa *m, struct option_list *list, const char *text)
{
    size_t bytes = ((size_t)list->count + 1) * sizeof *list->values;
    list->values = msa_realloc(m, list->values, bytes);
    list->values[list->count++] = text;
}

/* All devices; the last three are for tests. */
static const char *device(struct msa *m, const struct option *o, const char *text)
{
    bool known =
        option_index("auto|cpu|cpu:base|cpu:v3|cpu:v4|cuda|test|emulated|idle", '|', text) >= 0;
    if (!known && strncmp(text, "cuda:", 5) == 0)
        known = text[5] && strlen(text) <= 8 && !text[5 + strspn(text + 5, "0123456789")];
    if (!known)
        msa_fail(m, MSA_USAGE, "--%s: '%s' is none of auto|cpu[:base|:v3|:v4]|cuda[:N]", o->name,
                 text);
    return text;
}

/* An empty text is what a variable leaves that was not set. */
static const char *not_empty(struct msa *m, const struct option *o, const char *text)
{
    if (!*text)
        msa_fail(m, MSA_USAGE, "--%s: the value is empty, but expected %s", o->name, o->arg);
    return text;
}

static const struct variant *variant(struct msa *m, const struct option *o, const char *text)
{
    const struct variant *named = variant_named(m, text);
    if (named || strcmp(text, "auto") == 0)
        return named;
    const char *names = "auto";
    for (int i = 0; m->of->variants[i]; i++)
        names = msa_format(m, "%s|%s", names, m->of->variants[i]->name);
    msa_fail(m, MSA_USAGE, "--%s: '%s' is none of %s", o->name, text, names);
}

/* One value; of an option with keys, that of an item. */
static void set_one(struct msa *m, const struct option *o, void *field, const char *text)
{
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_TEXT:
    case OPTION_READS:
    case OPTION_WRITES:
    case OPTION_PARAMETERS:
    case OPTION_FOLDER:
        *(const char **)field = not_empty(m, o, text);
        break;
    case OPTION_WORDS:
        *(const char **)field = text;
        break;
    case OPTION_INT:
        *(long *)field = option_int(m, o->name, text, o->min, o->max);
        break;
    case OPTION_REAL:
        *(double *)field = option_real(m, o->name, text, o->min, o->max);
        break;
    case OPTION_CHOICE:
        *(int *)field = choice(m, o, text);
        break;
    case OPTION_LIST:
    case OPTION_READS_LIST:
        list_add(m, field, not_empty(m, o, text));
        break;
    case OPTION_DEVICE:
        *(const char **)field = device(m, o, text);
        break;
    case OPTION_VARIANT:
        *(const struct variant **)field = variant(m, o, text);
        break;
    }
}

static size_t size_of(enum option_kind kind)
{
    switch (kind) {
    case OPTION_FLAG:
        return sizeof(bool);
    case OPTION_INT:
        return sizeof(long);
    case OPTION_REAL:
        return sizeof(double);
    case OPTION_CHOICE:
        return sizeof(int);
    case OPTION_LIST:
    case OPTION_READS_LIST:
        return sizeof(struct option_list);
    default:
        return sizeof(const char *);
    }
}

int option_items(const struct option *o)
{
    int count = 1;
    for (const char *at = o->keys; at && (at = strchr(at, '|')); at++)
        count++;
    assert(count <= OPTION_KEYS);
    return count;
}

void *option_item(const struct option *o, void *field, int i)
{
    return (char *)field + (size_t)i * size_of(o->kind);
}

static int key_named(struct msa *m, const struct option *o, const char *key)
{
    int index = option_index(o->keys, '|', key);
    if (index < 0)
        msa_fail(m, MSA_USAGE, "--%s: '%s' is none of %s", o->name, key, o->keys);
    return index;
}

/* "text=1,audio=2" */
struct by_key {
    const struct option *option;
    void *field;
    uint32_t given;
};

static void set_by_key(struct msa *m, void *closure, const char *key, const char *text)
{
    struct by_key *b = closure;
    int index = key_named(m, b->option, key);
    if (b->given >> index & 1)
        msa_fail(m, MSA_USAGE, "--%s: '%s' is there twice", b->option->name, key);
    b->given |= UINT32_C(1) << index;
    set_one(m, b->option, option_item(b->option, b->field, index), text);
}

uint32_t option_set(struct msa *m, const struct option *o, void *field, const char *text)
{
    struct by_key by_key = {o, field, 0};
    if (!o->keys) {
        set_one(m, o, field, text);
        return UINT32_MAX;
    }
    if (strchr(text, '=')) {
        option_pairs(m, o->name, text, &by_key, set_by_key);
        return by_key.given;
    }
    for (int i = 0; i < option_items(o); i++)
        set_one(m, o, option_item(o, field, i), text);
    return UINT32_MAX;
}
