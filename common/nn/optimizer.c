/* Learning rate schedule, and the optimizer's part of a G frame. */
#include "common/nn/optimizer.h"
#include <limits.h>
#include <math.h>
#include <string.h>

double optimizer_rate(double lr, long step, long warm, long total, bool linear)
{
    if (step < warm)
        return lr * (double)step / (double)warm;
    if (!linear)
        return lr;
    return step < total ? lr * ((double)(total - step) / (double)(total - warm)) : 0;
}

void optimizer_say(struct msa *m, struct record *g, const struct optimizer *o)
{
    value map = value_map();
    value_set(m, g->zone, &map, "name", value_str(m, g->zone, "adamw"));
    value_set(m, g->zone, &map, "beta1", value_of_real(o->beta1));
    value_set(m, g->zone, &map, "beta2", value_of_real(o->beta2));
    value_set(m, g->zone, &map, "eps", value_of_real(o->eps));
    value_set(m, g->zone, &map, "decay", value_of_real(o->decay));
    value_set(m, g->zone, &map, "no_decay", value_str(m, g->zone, o->no_decay));
    value_set(m, g->zone, &g->map, "lr", value_of_real(o->lr));
    value_set(m, g->zone, &g->map, "optimizer", map);
}

struct optimizer optimizer_hear(struct msa *m, const struct record *g)
{
    const value *map = value_get(&g->map, "optimizer");
    const value *name = value_get(map, "name");
    const char *no_decay = value_text(g->zone, map, "no_decay");
    double lr = value_real(&g->map, "lr", NAN);
    if (g->step == LONG_MAX)
        msa_fail(m, MSA_CORRUPT, "way back: a gradient of step %ld", LONG_MAX);
    if (!isfinite(lr))
        msa_fail(m, MSA_CORRUPT, "way back: the gradient of step %lld names no learning rate",
                 (long long)g->step);
    if (!value_equals(name, "adamw"))
        msa_fail(m, MSA_CORRUPT,
                 "way back: the gradient of step %lld names no optimizer that is known (adamw)",
                 (long long)g->step);
    return (struct optimizer){.lr = lr,
                              .beta1 = value_real(map, "beta1", .9),
                              .beta2 = value_real(map, "beta2", .999),
                              .eps = value_real(map, "eps", 1e-8),
                              .decay = value_real(map, "decay", 0),
                              .no_decay = no_decay ? no_decay : "",
                              .t = (long)g->step + 1};
}

bool optimizer_decays(const struct optimizer *o, const char *parameter)
{
    for (const char *word = o->no_decay; *word;) {
        size_t length = strcspn(word, ",");
        if (length && memmem(parameter, strlen(parameter), word, length))
            return false;
        word += length + (word[length] == ',');
    }
    return true;
}
