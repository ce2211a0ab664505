/* Streams in files as data sets: where in the file the elements of each record's tensors, and its
 * texts, begin. */
#include "common/dataset/dataset_stream.h"

#include <string.h>

/* ---- Splits ---- */

/* Records of one split by two names. An earlier run's renaming of one is left undone for that, so
 * it is of no split; a given one cannot be done. */
static _Noreturn void two_names(struct dataset *d, const struct record *record, const char *before)
{
    const struct renaming *now = naming_from(d->naming, record->split, NAME_SPLIT),
                          *then = naming_from(d->naming, before, NAME_SPLIT),
                          *r = !then || (now && !now->given) ? now : then;
    if (r->given)
        naming_conflict(d->naming, d->path, r);
    frame_fail(d->m, &record->frame, NULL,
               "split '%s' is '%s' by an earlier run's --rename, but '%s' is there too", r->from,
               r->to, r == now ? before : record->split);
}

/* One name for a split, in all the file. */
static enum split note_split(struct dataset *d, enum split split, const struct record *r)
{
    const char **named = &stream_set_of(d)->splits[split].named;
    if (!*named)
        *named = msa_strndup(d->m, r->split, strlen(r->split));
    if (strcmp(*named, r->split) != 0)
        two_names(d, r, *named);
    return split;
}

static enum split split_of(struct dataset *d, const struct record *r)
{
    if (!r->split[0]) /* as a pickle without splits */
        return TEST;
    struct renaming *other = naming_from(d->naming, r->split, NAME_SPLIT);
    if (other)
        other->done = true;
    for (int i = 0; i < SPLITS; i++)
        if (strcmp(other ? other->to : r->split, split_names[i]) == 0)
            return note_split(d, (enum split)i, r);
    frame_fail(d->m, &r->frame, NULL, "split '%s' but expected train, valid or test", r->split);
}

/* ---- The index ---- */

/* One more of `count` items of `size` bytes; room doubles. */
static void *grow(struct msa *m, void *items, size_t *room, size_t count, size_t size)
{
    if (count <= *room)
        return items;
    while (*room < count)
        *room = *room ? 2 * *room : 256;
    return msa_realloc(m, items, *room * size);
}

/* The place in the map, or in what will be mapped, of the first byte of a body. */
static size_t place_of(struct dataset *d, const struct frame *f)
{
    struct stream_set *set = stream_set_of(d);
    if (!set->spool)
        return (size_t)(f->body - set->map.bytes);
    spool_write(d->m, set->spool, f->body, f->length);
    return set->spool->size - f->length;
}

/* The records of a split have a text all, or none of them; ids apart, which are made up where there
 * are none. */
static void check_text(struct dataset *d, const struct index *index, const struct record *r,
                       enum record_text which)
{
    bool has = value_get(&r->map, record_texts[which]), had = index->texts[which];
    if (which != RECORD_ID && index->count && has != had)
        frame_fail(d->m, &r->frame, NULL, "'%s' is %sthere, but %sin the records before",
                   record_texts[which], has ? "" : "not ", had ? "" : "not ");
}

static void index_text(struct dataset *d, struct index *index, const struct record *r,
                       enum record_text which, size_t first, size_t body)
{
    const value *texts = value_get(&r->map, record_texts[which]);
    struct text_place *places = index->texts[which];
    if (!texts && which != RECORD_ID)
        return;
    places = grow(d->m, places, &index->texts_room[which], first + r->samples, sizeof *places);
    for (size_t i = 0; i < r->samples; i++) {
        const msgpack_object_str *text = texts ? &texts->via.array.ptr[i].via.str : NULL;
        places[first + i] = (struct text_place){0};
        if (text)
            places[first + i] = (struct text_place){
                body + (size_t)((const uint8_t *)text->ptr - r->frame.body), text->size};
    }
    index->texts[which] = places;
}

/* A sample takes a byte at least, so that the index is bounded by the file. */
static void check_samples(struct dataset *d, const struct record *r, size_t before)
{
    if (r->samples > r->frame.length)
        frame_fail(d->m, &r->frame, NULL, "%zu samples in a body of %zu bytes", r->samples,
                   r->frame.length);
    if (before + r->samples > UINT32_MAX)
        frame_fail(d->m, &r->frame, NULL, "more than 2^32 - 1 samples in a split");
}

void stream_set_index(struct dataset *d, const struct record *r)
{
    enum split split = split_of(d, r);
    struct index *index = &stream_set_of(d)->splits[split];
    size_t columns = 1 + (size_t)d->schema.count, *samples = &d->split[split].count;
    check_samples(d, r, *samples);
    for (int i = 0; i < RECORD_TEXTS; i++)
        check_text(d, index, r, (enum record_text)i);
    size_t body = place_of(d, &r->frame);
    index->rows =
        grow(d->m, index->rows, &index->room, index->count + 1, columns * sizeof *index->rows);
    size_t *row = index->rows + columns * index->count++;
    row[0] = *samples;
    for (int i = 0; i < d->schema.count; i++) {
        const struct tensor *t = record_find(r, d->keys[i]);
        row[1 + i] = body + (size_t)((const uint8_t *)t->data - r->frame.body);
    }
    for (int i = 0; i < RECORD_TEXTS; i++)
        index_text(d, index, r, (enum record_text)i, *samples, body);
    *samples += r->samples;
}
