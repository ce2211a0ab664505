/* Streams in files as data sets: what a stage wrote in evaluation, sample by sample.
 *
 * The file is mapped, read once as any stage reads it, with all its checks, and indexed: where in
 * it the elements of each record's tensors begin. A gzipped one is inflated into a file without a
 * name on the way. What is of a batch and not of its samples is left out: loss, weight, NAME@TASK.
 */
#include "common/data/dataset.h"
#include "common/stream/utf8.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where a text of a sample is in the map; none: 0, for a body begins with its map. */
struct place {
    size_t at;
    uint32_t length;
};

/* Of a split: its records, each a row of its first sample and the place of each tensor's first
 * element; and the texts. */
struct index {
    size_t *rows; /* [count][1 + tensors] */
    size_t count, room;
    struct place *texts[RECORD_TEXTS]; /* [samples]; NULL: no record has any */
    size_t texts_room[RECORD_TEXTS];
    const char *named; /* what the file calls the split; NULL: not met yet */
};

struct stream_set {
    struct mapping map;
    struct spool *spool; /* NULL: the map is the file's */
    struct index splits[SPLITS];
};

static struct stream_set *set_of(const struct dataset *d)
{
    return d->own;
}

/* ---- Header ---- */

static bool is_of_batch(const char *name)
{
    return strchr(name, '@') != NULL;
}

/* What a tensor of the file is called here. `own`: is there one too that has that name itself? */
static const char *name_of(struct dataset *d, const char *key,
                           bool (*own)(const void *, const char *), const void *of)
{
    struct renaming *r = naming_from(d->naming, key, NAME_STREAM);
    if (!r)
        return key;
    if (own(of, r->to) && r->given)
        naming_conflict(d->naming, d->path, r);
    r->done = !own(of, r->to);
    return naming_of(d->naming, key);
}

/* The place of a tensor that the file calls so; -1: it is not there. */
static int find_key(const struct dataset *d, const char *key)
{
    int i = d->schema.count;
    while (--i >= 0 && strcmp(d->keys[i], key) != 0)
        continue;
    return i;
}

static void add_tensor(struct dataset *d, const char *key, const char *name, enum dtype dtype,
                       int rank, const size_t *shape)
{
    int at = d->schema.count;
    if (is_of_batch(key) || schema_find(&d->schema, name))
        return;
    schema_add(d->m, &d->schema, name, dtype, rank, shape, false);
    d->keys[at] = msa_strndup(d->m, key, strlen(key));
}

static bool in_schema(const void *schema, const char *name)
{
    return schema_find(schema, name);
}

static bool in_record(const void *record, const char *name)
{
    return record_find(record, name);
}

/* The stream that is made of this one goes on with what its header says, but it is another stream
 * of perhaps other parameters. */
static void read_header(struct dataset *d, const struct frame *f)
{
    static const char *const left[] = {
        "checkpoint", "checkpoint_by", "checkpoint_line",   "parameters", "commit",
        "resume",     "splits",        "family_parameters", "rename"};
    struct header *h = header_parse(d->m, f);
    if (h->back)
        frame_fail(d->m, f, NULL, "mode 'back' but expected a stream of records");
    if (h->train)
        msa_fail(d->m, MSA_FAILED,
                 "%s: a recording of a training, whose epochs repeat the samples (to keep "
                 "features: msa-load --split all)",
                 d->path);
    naming_recall(d->naming, &h->map);
    for (int i = 0; i < h->schema.count; i++) {
        const struct schema_entry *e = &h->schema.entries[i];
        add_tensor(d, e->name, name_of(d, e->name, in_schema, &h->schema), e->dtype, e->rank,
                   e->shape);
    }
    h->schema = (struct schema){0};
    h->address[0] = '\0';
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        value_remove(&h->map, left[i]);
    d->header = h;
}

/* ---- Records ---- */

/* One name for a split, in all the file. */
static enum split note_split(struct dataset *d, enum split split, const char *name)
{
    const char **named = &set_of(d)->splits[split].named;
    struct renaming *r = naming_from(d->naming, *named ? *named : name, NAME_SPLIT);
    if (!*named)
        *named = msa_strndup(d->m, name, strlen(name));
    if (r)
        r->done = true;
    if (r && strcmp(*named, name) != 0)
        naming_conflict(d->naming, d->path, r);
    return split;
}

static enum split split_of(struct dataset *d, const struct record *r)
{
    if (!r->split[0]) /* as a pickle without splits */
        return TEST;
    const struct renaming *other = naming_from(d->naming, r->split, NAME_SPLIT);
    for (int i = 0; i < SPLITS; i++)
        if (strcmp(other ? other->to : r->split, split_names[i]) == 0)
            return note_split(d, (enum split)i, r->split);
    frame_fail(d->m, &r->frame, NULL, "split '%s' but expected train, valid or test", r->split);
}

/* Each record has the same tensors: those of the header, and what else the first one has. */
static void check_tensors(struct dataset *d, const struct record *r, bool first)
{
    for (int i = 0; i < d->schema.count; i++) {
        struct schema_entry e = d->schema.entries[i];
        snprintf(e.name, sizeof e.name, "%s", d->keys[i]);
        record_promised(r, &e);
    }
    for (int i = 0; i < r->count; i++) {
        const struct tensor *t = &r->tensors[i];
        if (first && find_key(d, t->name) < 0)
            add_tensor(d, t->name, name_of(d, t->name, in_record, r), t->dtype, t->rank, t->shape);
        else if (!is_of_batch(t->name) && find_key(d, t->name) < 0)
            frame_fail(d->m, &r->frame, t->name, "not in the records before");
    }
}

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
    struct stream_set *set = set_of(d);
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
    struct place *places = index->texts[which];
    if (!texts && which != RECORD_ID)
        return;
    places = grow(d->m, places, &index->texts_room[which], first + r->samples, sizeof *places);
    for (size_t i = 0; i < r->samples; i++) {
        const msgpack_object_str *text = texts ? &texts->via.array.ptr[i].via.str : NULL;
        places[first + i] = (struct place){0};
        if (text)
            places[first + i] = (struct place){
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

static void index_record(struct dataset *d, const struct record *r)
{
    enum split split = split_of(d, r);
    struct index *index = &set_of(d)->splits[split];
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

static void take_record(struct dataset *d, struct reader *in, struct frame *f, bool *first)
{
    struct record r;
    record_parse(d->m, &r, in, f);
    check_tensors(d, &r, *first);
    if (r.samples)
        index_record(d, &r);
    *first = false;
    record_free(&r);
}

/* ---- The whole ---- */

static void read_frames(struct dataset *d, struct reader *in)
{
    struct frame f;
    bool first = true;
    for (bool ended = false; !ended && reader_next(in, &f);) {
        ended = f.kind == FRAME_END;
        if (f.kind == FRAME_HEADER) {
            read_header(d, &f);
        } else if (f.kind == FRAME_DATA) {
            take_record(d, in, &f, &first);
            continue;
        } else if (f.kind == FRAME_GRADIENT) {
            frame_fail(d->m, &f, NULL, "kind 'G' on the way forward");
        } else if (f.kind == FRAME_ERROR) {
            const char *who = value_text(f.zone, &f.map, "who"),
                       *what = value_text(f.zone, &f.map, "what");
            frame_fail(d->m, &f, NULL, "the stream is not whole, for a program failed: %s: %s",
                       who ? who : "?", what ? what : "?");
        }
        frame_free(in, &f);
    }
}

/* A stage of one's own may have any tensors; but a likely synonym of one that is missing was
 * probably meant as that. */
static void warn_of_unknown(struct dataset *d)
{
    for (int i = 0; i < d->schema.count; i++) {
        const struct schema_entry *e = &d->schema.entries[i];
        const char *likely = naming_likely(e->name, NAME_STREAM);
        if (e->rank >= 2 && !naming_known(e->name, NAME_STREAM) && likely &&
            !schema_find(&d->schema, likely))
            msa_warn(d->m, "%s: no stage reads tensor '%s' by this name (msa-load --rename %s=%s)",
                     d->path, e->name, e->name, likely);
    }
}

static bool is_gzip(struct mapping map)
{
    return map.size && map.bytes[0] == 0x1f;
}

static struct reader *open_gzip(struct dataset *d)
{
    int fd = open(d->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        msa_fail_errno(d->m, "cannot read '%s'", d->path);
    set_of(d)->spool = spool_open(d->m);
    return reader_open(d->m, fd, d->path);
}

static void unmap(void *set)
{
    file_unmap(((struct stream_set *)set)->map);
}

static void open_set(struct dataset *d)
{
    struct stream_set *set = msa_alloc(d->m, sizeof *set);
    msa_at_free(set, unmap);
    d->own = set;
    set->map = file_map(d->m, d->path);
    struct reader *in =
        is_gzip(set->map) ? open_gzip(d) : reader_open_mapped(d->m, set->map, d->path);
    read_frames(d, in);
    reader_close(in);
    naming_check(d->naming, d->path, NAME_STREAM);
    if (set->spool) {
        file_unmap(set->map);
        set->map = (struct mapping){0};
        set->map = spool_map(d->m, set->spool);
    }
    if (!d->split[TRAIN].count && !d->split[VALID].count && !d->split[TEST].count)
        msa_fail(d->m, MSA_CORRUPT, "%s: no samples: the stream has no record with any", d->path);
}

static void close_set(struct dataset *d)
{
    struct stream_set *set = set_of(d);
    for (int i = 0; i < SPLITS; i++) {
        msa_free(d->m, set->splits[i].rows);
        for (int text = 0; text < RECORD_TEXTS; text++)
            msa_free(d->m, set->splits[i].texts[text]);
    }
    msa_free(d->m, set->spool);
    msa_free(d->m, set);
}

/* ---- Samples ---- */

/* The row of the record that sample i is in: the last that does not begin behind it. */
static const size_t *row_of(const struct dataset *d, enum split split, size_t i)
{
    const struct index *index = &set_of(d)->splits[split];
    size_t columns = 1 + (size_t)d->schema.count, low = 0, high = index->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (index->rows[columns * middle] <= i)
            low = middle;
        else
            high = middle;
    }
    return index->rows + columns * low;
}

static void read_sample(struct dataset *d, enum split split, int tensor, size_t i, void *out)
{
    const size_t *row = row_of(d, split, i);
    size_t bytes = dataset_bytes(d, tensor);
    if (bytes)
        memcpy(out, set_of(d)->map.bytes + row[1 + tensor] + (i - row[0]) * bytes, bytes);
}

static char *read_text(struct dataset *d, enum split split, enum record_text which, size_t i)
{
    const struct place *places = set_of(d)->splits[split].texts[which];
    if (!places || !places[i].at)
        return NULL;
    size_t length = places[i].length;
    char *text = msa_alloc(d->m, length + 1);
    memcpy(text, set_of(d)->map.bytes + places[i].at, length);
    utf8_clean(text, length); /* of zeros: all else is UTF-8 */
    return text;
}

static void describe(struct dataset *d, enum split split, dataset_key_fn *tell, void *closure)
{
    for (int i = 0; i < d->schema.count; i++) {
        struct schema_entry e = d->schema.entries[i];
        e.shape[0] = d->split[split].count;
        tell(closure, d->keys[i], dtype_names[e.dtype], e.rank, e.shape, d->schema.entries[i].name);
    }
    for (int i = 0; i < RECORD_TEXTS; i++)
        if (d->split[split].count && (i == RECORD_ID || set_of(d)->splits[split].texts[i]))
            tell(closure, record_texts[i], "str", 1, &d->split[split].count, record_texts[i]);
}

const struct dataset_format dataset_stream = {.name = "stream",
                                              .label_key = "label",
                                              .open = open_set,
                                              .read = read_sample,
                                              .text = read_text,
                                              .warn = warn_of_unknown,
                                              .describe = describe,
                                              .close = close_set};
