/* The first frame that went wrong. */
#include "common/stream/where.h"
#include "common/cli/option.h"
#include "common/stream/show.h"
#include <string.h>

/* Leaves what was asked for alone. */
static void choose(const struct where *w, struct record *r)
{
    for (int i = r->count; i-- > 0;)
        if (!option_names(w->tensors, r->tensors[i].name))
            record_remove(r, r->tensors[i].name);
    value_remove(&r->map, "loss");
    value_remove(&r->map, "weight");
}

/* A record or gradient, and the record that tells its samples; false: the frame is neither. */
static bool view(struct where *w, const struct frame *f, bool back, struct record *r,
                 const struct record **of)
{
    if (f->kind != FRAME_DATA && f->kind != FRAME_GRADIENT)
        return false;
    record_view(w->m, r, f, w->pairs);
    if (!back)
        record_remember(w->m, &w->asked, r);
    *of = back ? &w->asked : r;
    return true;
}

bool where_nonfinite(struct where *w, FILE *to, const struct frame *f, bool back)
{
    struct record r;
    const struct record *of;
    struct nonfinite found;
    char line[NONFINITE_TEXT];
    if (!view(w, f, back, &r, &of))
        return false;
    if (w->tensors)
        choose(w, &r);
    if (!record_nonfinite(&r, &found))
        return false;
    nonfinite_text(&found, &r, of, "", line);
    fprintf(to, "%sframe %u (%c): ", back ? "back " : "", f->seq, f->kind);
    show_clean(to, line, strlen(line));
    fputc('\n', to);
    return true;
}

void where_check(struct where *w, const struct frame *f, bool back)
{
    struct record r;
    const struct record *of;
    if (w->m->common.check_finite && view(w, f, back, &r, &of))
        record_check_finite(&r, of, false);
}
