/* Options that variants of msa-fuse share. */
#include "filters/fuse/fuse.h"

size_t fuse_adds(struct trainable *t, long usual)
{
    const struct fuse_settings *s = (const struct fuse_settings *)t->settings;
    size_t dim = (size_t)trainable_int(t, "out", s->out, usual, FUSE_MOST);
    trainable_adds(t, "f", 2, (size_t[]){0, dim});
    return dim;
}

/* Fails the run where a rate was given for a place that is none of these; "": there is but one. */
static void check_places(struct trainable *t, const char *places)
{
    uint32_t keys = option_given(t->m, "dropout");
    for (int i = 0; keys != UINT32_MAX && i < PLACES; i++) {
        const char *place = option_word(t->m, FUSE_PLACES, i);
        if (keys >> i & 1 && option_index(places, '|', place) < 0)
            msa_fail(t->m, MSA_USAGE, "--dropout: %s has %s, not %s", t->m->named->name,
                     *places ? places : "one place", place);
    }
}

float fuse_dropout(struct trainable *t)
{
    double dropout = ((const struct fuse_settings *)t->settings)->dropout[0];
    check_places(t, "");
    trainable_note(t, "dropout", real_text(t->m, dropout));
    return (float)dropout;
}

void fuse_dropouts(struct trainable *t, const char *places)
{
    const double *dropout = ((const struct fuse_settings *)t->settings)->dropout;
    check_places(t, places);
    for (int i = 0; i < PLACES; i++) {
        const char *place = option_word(t->m, FUSE_PLACES, i);
        if (option_index(places, '|', place) >= 0)
            trainable_note(t, msa_format(t->m, "dropout.%s", place), real_text(t->m, dropout[i]));
    }
}
