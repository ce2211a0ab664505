/* Comparing: the places that differ, and the report on them. */
#include "common/inspect/compare_internal.h"
#include "common/inspect/show.h"
#include "common/run/option.h"
#include "common/run/utf8.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

/* Keys and tensors of other names in each frame would have no end. */
enum { PLACES = 1 << 14, SLOTS = 2 * PLACES };

struct compare {
    struct msa *m;
    struct compare_choice choice;
    uint64_t met; /* tensors that were wanted (option_meets) */
    size_t count;
    struct place *first, *last; /* in the order found */
    struct place *slots[SLOTS]; /* by path and kind: at their hash, or in the next free slot */
};

struct compare *compare_new(struct msa *m, struct compare_choice choice)
{
    struct compare *c = msa_alloc(m, sizeof *c);
    c->m = m;
    c->choice = choice;
    return c;
}

const struct compare_choice *compare_chosen(const struct compare *c)
{
    return &c->choice;
}

bool compare_wants(struct compare *c, const char *tensor)
{
    return !c->choice.tensors || (tensor && option_meets(c->choice.tensors, tensor, &c->met));
}

void compare_check_met(const struct compare *c)
{
    const char *list = c->choice.tensors, *unmet = list ? option_unmet(c->m, list, c->met) : NULL;
    if (unmet && !c->met)
        msa_fail(c->m, MSA_FAILED, "no tensor '%s' on either side: nothing compared", list);
    if (unmet)
        msa_warn(c->m, "--tensor: no tensor %s on either side", unmet);
}

/* ---- Places ---- */

/* Where that place is, or would be. */
static struct place **slot_of(struct compare *c, const char *kind, const char *path)
{
    uLong hash = crc32_z(0, (const Bytef *)path, strlen(path));
    size_t i = crc32_z(hash, (const Bytef *)kind, strlen(kind)) % SLOTS;
    while (c->slots[i] &&
           (strcmp(c->slots[i]->path, path) != 0 || strcmp(c->slots[i]->kind, kind) != 0))
        i = (i + 1) % SLOTS;
    return &c->slots[i];
}

static struct place *add_place(struct compare *c, const char *kind, const char *path)
{
    struct place *p = msa_alloc(c->m, sizeof *p);
    *p = (struct place){.kind = kind, .path = msa_strndup(c->m, path, strlen(path))};
    if (c->last)
        c->last->next = p;
    else
        c->first = p;
    c->last = p;
    c->count++;
    return p;
}

struct place *compare_place(struct compare *c, const struct spot *at)
{
    struct place **slot = slot_of(c, at->kind, at->path), *p = *slot;
    if (p)
        return p;
    if (c->count == PLACES)
        return c->last;
    if (c->count + 1 == PLACES)
        return add_place(c, "", "all others");
    *slot = p = add_place(c, at->kind, at->path);
    p->noted = at->noted;
    return p;
}

bool compare_numbers(const struct compare *c, struct place *p, double a, double b, bool whole)
{
    double larger = fmax(fabs(a), fabs(b)), distance = fabs(a - b);
    if (a == b || (isnan(a) && isnan(b)))
        distance = 0;
    if (whole)
        distance = fmax(distance, 1); /* of more digits than a double has */
    else if (!isfinite(distance))
        distance = INFINITY;
    double relative = isfinite(distance) ? distance / larger : distance;
    p->absolute = fmax(p->absolute, distance);
    p->relative = fmax(p->relative, distance > 0 ? relative : 0);
    return whole || !isfinite(distance) || distance > c->choice.tolerance * fmax(1, larger);
}

bool place_differs(struct place *p)
{
    return p->differing++ == 0;
}

/* Where the element or item is, and whose. */
static void say_index(FILE *to, const struct spot *at, const struct tensor *tensor, size_t i)
{
    char text[128];
    if (at->depth)
        fprintf(to, " at %s", tensor_shape_text(text, at->depth, at->index));
    if (!tensor || !tensor->rank)
        return;
    fprintf(to, " at %s", tensor_place_text(text, tensor, i));
    if (!at->id)
        return;
    fputs(", sample ", to);
    show_sample(to, at->id, i / (tensor->count / tensor->shape[0]));
}

void place_say(struct place *p, const struct spot *at, const char *a, const char *b,
               const struct tensor *tensor, size_t i)
{
    FILE *to = fmemopen(p->first, sizeof p->first - 1, "w"); /* a longer text is cut short */
    if (!to)
        return;
    utf8_print(to, a, strnlen(a, PLACE_TEXT));
    fputs(" and ", to);
    utf8_print(to, b, strnlen(b, PLACE_TEXT));
    if (at->frame)
        fprintf(to, " in frame %u", at->frame->seq);
    say_index(to, at, tensor, i);
    fclose(to);
    utf8_show(p->first); /* a character may have been cut */
}

void compare_texts(struct compare *c, const struct spot *at, const char *a, const char *b)
{
    struct place *p = compare_place(c, at);
    p->values++;
    if ((!a || !b || strcmp(a, b) != 0) && place_differs(p))
        place_say(p, at, a ? a : "nothing", b ? b : "nothing", NULL, 0);
}

/* ---- The report ---- */

bool compare_equal(const struct compare *c)
{
    bool equal = true;
    for (const struct place *p = c->first; p; p = p->next)
        equal = equal && (p->noted || !p->differing);
    return equal;
}

/* "1 of 31 values differ, by at most 0.5 (relative 0.25)" */
static void report_numbers(const struct place *p, FILE *to)
{
    if (p->differing && p->values > 1)
        fprintf(to, "; %" PRIu64 " of %" PRIu64 " values differ", p->differing, p->values);
    else if (!p->differing)
        fprintf(to, p->absolute > 0 ? "%" PRIu64 " within the tolerance" : "%" PRIu64 " equal",
                p->values);
    if (p->absolute > 0)
        fprintf(to, ", by %s%.4g (relative %.4g)", p->values > 1 ? "at most " : "", p->absolute,
                p->relative);
}

static void report_place(const struct place *p, FILE *to)
{
    fprintf(to, "%s%s%s", p->noted ? "note: " : "", p->kind, *p->kind ? " " : "");
    utf8_print(to, p->path, strlen(p->path));
    fprintf(to, ": %s", p->first);
    report_numbers(p, to);
    fputc('\n', to);
}

void compare_report(const struct compare *c, FILE *to, bool all, bool quiet)
{
    bool notes = !quiet && (all || !compare_equal(c));
    for (const struct place *p = c->first; p; p = p->next)
        if (all ? !p->noted || notes : p->differing && (!p->noted || notes))
            report_place(p, to);
}
