/* Options that variants of msa-fuse share. */
#include "filters/fuse/fuse.h"

size_t fuse_adds(struct trainable *t, long usual)
{
    const struct fuse_settings *s = (const struct fuse_settings *)t->settings;
    size_t dim = (size_t)trainable_int(t, "out", s->out, usual, FUSE_MOST);
    trainable_adds(t, "f", 2, (size_t[]){0, dim});
    return dim;
}

float fuse_dropout(struct trainable *t)
{
    const double *dropout = ((const struct fuse_settings *)t->settings)->dropout;
    uint32_t keys = option_given(t->m, "dropout");
    if (keys && keys != UINT32_MAX) /* not one for all */
        msa_fail(t->m, MSA_USAGE, "--dropout: %s has one place, not " FUSE_PLACES,
                 t->m->named->name);
    trainable_note(t, "dropout", real_text(t->m, dropout[0]));
    return (float)dropout[0];
}

void fuse_dropouts(struct trainable *t, const char *places)
{
    const double *dropout = ((const struct fuse_settings *)t->settings)->dropout;
    uint32_t keys = option_given(t->m, "dropout");
    for (int i = 0; i < PLACES; i++) {
        const char *place = option_word(t->m, FUSE_PLACES, i);
        if (option_index(places, '|', place) >= 0)
            trainable_note(t, msa_format(t->m, "dropout.%s", place), real_text(t->m, dropout[i]));
        else if (keys != UINT32_MAX && keys >> i & 1)
            msa_fail(t->m, MSA_USAGE, "--dropout: %s has the places %s, not %s", t->m->named->name,
                     places, place);
    }
}
