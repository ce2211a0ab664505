/* Values of options that are lists of words. */
#include "common/run/option.h"

#include <string.h>

int option_index(const char *list, char separator, const char *word)
{
    const char delimiters[] = {separator, '\0'};
    size_t length = strlen(word);
    for (int i = 0;; i++) {
        size_t span = strcspn(list, delimiters);
        if (span == length && memcmp(list, word, length) == 0)
            return i;
        if (!list[span])
            return -1;
        list += span + 1;
    }
}

const char *option_word(struct msa *m, const char *arg, int i)
{
    while (i--)
        arg = strchr(arg, '|') + 1;
    return msa_strndup(m, arg, strcspn(arg, "|"));
}

bool option_names(const char *list, const char *word)
{
    return option_index(list, ',', word) >= 0;
}

bool option_meets(const char *list, const char *word, uint64_t *met)
{
    int index = option_index(list, ',', word);
    if (index >= 0) /* the last bit is that of all others, which are not told */
        *met |= UINT64_C(1) << (index < OPTION_TOLD ? index : OPTION_TOLD);
    return index >= 0;
}

const char *option_unmet(struct msa *m, const char *list, uint64_t met)
{
    char *rest = msa_strndup(m, list, strlen(list));
    const char *all = NULL;
    for (int i = 0; rest && i < OPTION_TOLD; i++) {
        const char *word = strsep(&rest, ",");
        if (option_index(list, ',', word) == i && !(met >> i & 1))
            all = msa_format(m, "%s%s'%s'", all ? all : "", all ? ", " : "", word);
    }
    return all;
}

static _Noreturn void refuse_word(struct msa *m, const char *option, const char *word,
                                  const char *const *names, int count)
{
    const char *all = names[0];
    for (int i = 1; i < count; i++)
        all = msa_format(m, "%s, %s", all, names[i]);
    msa_fail(m, MSA_USAGE, "--%s: '%s' is none of %s", option, word, all);
}

void option_subset(struct msa *m, const char *option, const char *list, const char *const *names,
                   int count)
{
    char *rest = msa_strndup(m, list, strlen(list));
    while (rest) {
        const char *word = strsep(&rest, ",");
        int i = 0;
        while (i < count && strcmp(word, names[i]) != 0)
            i++;
        if (i == count)
            refuse_word(m, option, word, names, count);
    }
}

void option_pairs(struct msa *m, const char *option, const char *text, void *closure,
                  void (*set)(struct msa *m, void *closure, const char *key, const char *value))
{
    char *rest = msa_strndup(m, text, strlen(text));
    while (rest) {
        char *key = strsep(&rest, ",");
        size_t length = strcspn(key, "=");
        if (!length || !key[length] || !key[length + 1])
            msa_fail(m, MSA_USAGE, "--%s: '%s' is not KEY=VALUE", option, key);
        key[length] = '\0';
        set(m, closure, key, key + length + 1);
    }
}
