/* Recordings. */
#include "common/stream/recording.h"
#include "common/run/text.h"

bool recording_came_back(struct recording_order *o, const struct frame *f)
{
    if (f->kind == FRAME_HEADER)
        o->recorded = value_equals(value_get(f->map, "back"), "");
    bool back = f->kind == FRAME_GRADIENT || (f->kind == FRAME_CONTROL && o->asked);
    o->asked = f->kind == FRAME_CONTROL && !back;
    return back;
}

bool recording_gradient_follows(const struct recording_order *o, const struct frame *f)
{
    return o->recorded && f->kind == FRAME_DATA && value_bool(f->map, "train", false);
}

struct writer *recording_create(struct msa *m, const char *path, const struct header *h)
{
    struct writer *w = writer_open(m, file_open(m, path), path);
    if (text_ends(path, ".gz"))
        writer_gzip(w);
    struct header copy =
        *h; /* the line's own goes on with its address, and is signed in its turn */
    copy.address[0] = '\0';
    header_sign(&copy);
    header_write(&copy, w);
    return w;
}

void recording_add(struct writer *w, const struct frame *f)
{
    if (f->kind != FRAME_HEADER && f->kind != FRAME_END && f->kind != FRAME_ERROR)
        frame_write(w, f);
}

void recording_close(struct msa *m, struct writer *w, const char *path)
{
    struct target t = target_of(m, path);
    writer_end(w);
    writer_expect(w, &t);
    writer_close(w);
    target_free(m, &t);
}
