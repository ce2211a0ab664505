/* Frames, widths and names of the encoders of MMSA's small models. */
#include "filters/encode/subnet.h"
#include <string.h>

/* MMSA's settings of LF-DNN. */
static long usual_hidden(const struct trainable *t, int modality)
{
    bool sims = strcmp(t->stage->header->family, "sims") == 0;
    return modality != AUDIO ? 128 : sims ? 32 : 16;
}

struct subnet subnet_named(struct part *p, const struct model *model, const char *usual,
                           long hidden)
{
    struct trainable *t = p->t;
    const struct encode_settings *s = ((const struct encode *)t->self)->settings;
    int modality = p->modality;
    const char *prefix = encode_prefix(t, model, modality, usual);
    const char *key = msa_format(t->m, "hidden.%s", modality_names[modality]);
    struct subnet n = {.prefix = prefix,
                       .sequence = trainable_sequence(t, modality, prefix, s->lengths),
                       .dropout = encode_dropout(p, 0)};
    n.hidden = (size_t)trainable_int(t, key, s->hidden[modality],
                                     hidden ? hidden : (long)n.sequence.width, MOST_DIM);
    encode_drop_modality(p, modality);
    return n;
}

struct subnet subnet_build(struct part *p, const struct model *model)
{
    return subnet_named(p, model, msa_format(p->t->m, "%s_subnet", mmsa_names[p->modality]),
                        usual_hidden(p->t, p->modality));
}
