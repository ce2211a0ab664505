/* Comparing frame by frame. */
#include "common/inspect/compare.h"
#include "common/run/option.h"
#include "common/stream/recording.h"
#include <string.h>

/* Two streams on their way to the end. */
struct pair {
    struct compare *c;
    struct msa *m;
    struct recording_order order;
    long records;        /* compared so far */
    struct record asked; /* of the last record what tells its samples: a gradient names none */
};

static const char *kind_name(enum frame_kind kind, bool back)
{
    switch (kind) {
    case FRAME_HEADER:
        return "H";
    case FRAME_DATA:
        return "D";
    case FRAME_CONTROL:
        return back ? "back C" : "C";
    case FRAME_METRICS:
        return "M";
    case FRAME_GRADIENT:
        return "G";
    case FRAME_END:
        return "E";
    default:
        return "X";
    }
}

/* ---- Frames of the same kind ---- */

/* A key that is compared elsewhere, or not at all. */
static bool left_out(enum frame_kind kind, const char *key)
{
    bool record = kind == FRAME_DATA || kind == FRAME_GRADIENT;
    return (record && strcmp(key, "tensors") == 0) ||
           (kind == FRAME_HEADER && option_names("back,training,checkpoint_line", key)) ||
           (kind == FRAME_CONTROL && strcmp(key, "line") == 0);
}

/* How the programs were called, and where their parameters are, may differ. */
static bool is_noted(enum frame_kind kind, const char *key)
{
    return kind == FRAME_HEADER && (strcmp(key, "pipeline") == 0 ||
                                    strcmp(key, "parameters") == 0 || strcmp(key, "commit") == 0);
}

/* The keys of `a` and what `b` has for them; with `missing`, only those that `b` does not have,
 * with the sides changed. */
static void compare_keys(struct pair *p, struct spot *at, const value *a, const value *b,
                         bool missing)
{
    enum frame_kind kind = at->frame->kind;
    for (uint32_t i = 0; i < a->via.map.size; i++) {
        const value *own = &a->via.map.ptr[i].val;
        const value *other = value_get(b, value_key(a, i, at->path));
        at->noted = is_noted(kind, at->path);
        if (left_out(kind, at->path) || (missing && other))
            continue;
        if (missing)
            compare_values(p->c, at, NULL, own);
        else
            compare_values(p->c, at, own, other);
    }
    at->noted = false;
}

static void compare_tensor(struct pair *p, struct spot *at, const char *name,
                           const struct tensor *a, const struct tensor *b)
{
    snprintf(at->path, sizeof at->path, "tensor '%s'", name);
    if (compare_wants(p->c, name))
        compare_tensors(p->c, at, a, b);
}

static void compare_all_tensors(struct pair *p, struct spot *at, const struct record *a,
                                const struct record *b)
{
    for (int i = 0; i < a->count; i++) {
        const char *name = a->tensors[i].name;
        compare_tensor(p, at, name, &a->tensors[i], record_find(b, name));
    }
    for (int i = 0; i < b->count; i++) {
        const char *name = b->tensors[i].name;
        if (!record_find(a, name))
            compare_tensor(p, at, name, NULL, &b->tensors[i]);
    }
}

static void compare_records(struct pair *p, struct spot *at, const struct frame *a,
                            const struct frame *b)
{
    struct record x, y;
    record_view(p->m, &x, a);
    record_view(p->m, &y, b);
    if (a->kind == FRAME_DATA)
        record_remember(p->m, &p->asked, &x);
    at->id = value_get(&p->asked.map, "id");
    compare_all_tensors(p, at, &x, &y);
}

static void compare_frames(struct pair *p, const struct frame *a, const struct frame *b)
{
    struct spot at = {.kind = kind_name(a->kind, recording_came_back(&p->order, a)), .frame = a};
    if (compare_wants(p->c, NULL)) {
        compare_keys(p, &at, a->map, b->map, false);
        compare_keys(p, &at, b->map, a->map, true);
    }
    if (a->kind == FRAME_DATA || a->kind == FRAME_GRADIENT)
        compare_records(p, &at, a, b);
}

/* ---- Streams ---- */

/* Is that the last frame that was asked for? */
static bool enough(struct pair *p, const struct frame *f)
{
    long most = compare_chosen(p->c)->records;
    p->records += f->kind == FRAME_DATA;
    return most && p->records >= most && !recording_gradient_follows(&p->order, f);
}

/* One pair of frames; false: no other is to be compared, or they have gone apart. */
static bool compare_next(struct pair *p, struct reader *a, struct reader *b)
{
    struct frame x, y;
    if (!reader_next(a, &x) || !reader_next(b, &y))
        return false;
    bool alike = x.kind == y.kind;
    if (alike)
        compare_frames(p, &x, &y);
    else
        compare_texts(p->c, &(struct spot){.kind = "", .path = "kind", .frame = &x},
                      kind_name(x.kind, false), kind_name(y.kind, false));
    bool more = alike && !enough(p, &x);
    frame_free(&x);
    frame_free(&y);
    return more;
}

/* Reads on, so that damage is found and frames are counted. */
static void drain(struct reader *r)
{
    struct frame f;
    while (reader_next(r, &f))
        frame_free(&f);
}

static void compare_ends(struct compare *c, struct reader *a, struct reader *b)
{
    char first[16], second[16];
    drain(a);
    drain(b);
    snprintf(first, sizeof first, "%u", reader_count(a));
    snprintf(second, sizeof second, "%u", reader_count(b));
    compare_texts(c, &(struct spot){.kind = "", .path = "frames"}, first, second);
}

void compare_streams(struct compare *c, struct msa *m, struct reader *a, struct reader *b)
{
    struct pair *p = msa_alloc(m, sizeof *p);
    *p = (struct pair){.c = c, .m = m};
    while (compare_next(p, a, b))
        ;
    if (!compare_chosen(c)->records)
        compare_ends(c, a, b);
    record_free(&p->asked);
    msa_free(m, p);
}
