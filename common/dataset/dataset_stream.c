/* Streams in files as data sets: what a stage wrote in evaluation, sample by sample.
 *
 * The file is mapped, read once as any stage reads it, with all its checks, and indexed: where in
 * it the elements of each record's tensors begin. A gzipped one is inflated into a file without a
 * name on the way. What is of a batch and not of its samples is left out: loss, weight, NAME@TASK;
 * and `index`, for the place of a sample is that in this file now. */
#include "common/dataset/dataset_stream.h"
#include "common/dataset/inflated.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Header ---- */

static bool is_left_out(const char *key)
{
    return strchr(key, '@') || strcmp(key, "index") == 0;
}

/* What a tensor of the file is called here. `has`: what other tensors are there? */
static const char *name_of(struct dataset *d, const char *key, naming_has_fn *has, const void *of)
{
    const struct renaming *r = naming_from(d->naming, key, NAME_STREAM);
    bool renamed = r && !is_left_out(key) && naming_to(d->naming, d->path, r->to, has, of) == r;
    return renamed ? r->to : key;
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
                       int rank, const size_t *shape, char (*columns)[TENSOR_NAME + 1])
{
    int at = d->schema.count, same = dataset_find(d, name);
    if (is_left_out(key))
        return;
    if (same >= 0)
        msa_fail(d->m, MSA_CORRUPT,
                 "%s: tensor '%s' is in records, but the header's '%s' is renamed to '%s'", d->path,
                 key, d->keys[same], name);
    schema_add(d->m, &d->schema, name, dtype, rank, shape, false);
    schema_columns(&d->schema, name, columns);
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
        "resume",     "splits",        "family_parameters", "rename",     "tasks"};
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
                   e->shape, e->columns);
    }
    h->schema = (struct schema){0};
    h->address[0] = '\0';
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        value_remove(&h->map, left[i]);
    d->header = h;
}

/* ---- Records ---- */

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
            add_tensor(d, t->name, name_of(d, t->name, in_record, r), t->dtype, t->rank, t->shape,
                       NULL);
        else if (!is_left_out(t->name) && find_key(d, t->name) < 0)
            frame_fail(d->m, &r->frame, t->name, "not in the records before");
    }
}

static void take_record(struct dataset *d, struct frame *f, bool *first)
{
    struct record r;
    record_parse(d->m, &r, f);
    check_tensors(d, &r, *first);
    if (r.samples)
        stream_set_index(d, &r);
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
            take_record(d, &f, &first);
            continue;
        } else if (f.kind == FRAME_GRADIENT) {
            frame_fail(d->m, &f, NULL, "kind 'G' on the way forward");
        } else if (f.kind == FRAME_ERROR) {
            const char *who = value_text(f.zone, f.map, "who"),
                       *what = value_text(f.zone, f.map, "what");
            frame_fail(d->m, &f, NULL, "the stream is not whole, for a program failed: %s: %s",
                       who ? who : "?", what ? what : "?");
        }
        frame_free(&f);
    }
}

/* A stage of one's own may have any tensors; but a likely synonym of one that is missing was
 * probably meant as that. */
static const char *likely_name(const struct dataset *d, int tensor)
{
    const char *name = d->schema.entries[tensor].name, *likely = naming_likely(name, NAME_STREAM);
    return !naming_known(name, NAME_STREAM) && likely && !schema_find(&d->schema, likely) ? likely
                                                                                          : NULL;
}

static void warn_of_unknown(struct dataset *d)
{
    for (int i = 0; i < d->schema.count; i++) {
        const char *name = d->schema.entries[i].name, *likely = likely_name(d, i);
        if (likely)
            msa_warn(d->m, "%s: no stage reads tensor '%s' by this name (msa-load %s)", d->path,
                     name, naming_remedy(d->m, name, likely));
    }
}

/* Of tensors alone: a split by a name of its own is refused. */
static const char *remedy(struct dataset *d, int where)
{
    char *options = NULL;
    for (int i = 0; where & NAME_STREAM && i < d->schema.count; i++) {
        const char *likely = likely_name(d, i);
        if (likely)
            options = msa_format(d->m, "%s %s", options ? options : "",
                                 naming_remedy(d->m, d->schema.entries[i].name, likely));
    }
    return options ? msa_format(d->m, " (msa-load%s)", options) : "";
}

static struct reader *open_gzip(struct dataset *d)
{
    int fd = open(d->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        msa_fail_errno(d->m, "cannot read '%s'", d->path);
    stream_set_of(d)->spool = spool_open(d->m);
    return reader_open(d->m, fd, d->path);
}

static void open_set(struct dataset *d)
{
    struct stream_set *set = msa_alloc(d->m, sizeof *set);
    d->own = set;
    set->map = mapping_of(d->m, d->path);
    struct reader *in =
        is_gzip(set->map) ? open_gzip(d) : reader_open_mapped(d->m, set->map, d->path);
    read_frames(d, in);
    reader_close(in);
    naming_check(d->naming, d->path, NAME_STREAM);
    if (set->spool) {
        mapping_close(d->m, set->map);
        set->map = spool_map(d->m, set->spool);
    }
    if (!d->split[TRAIN].count && !d->split[VALID].count && !d->split[TEST].count)
        msa_fail(d->m, MSA_CORRUPT, "%s: no samples: the stream has no record with any", d->path);
}

static void close_set(struct dataset *d)
{
    struct stream_set *set = stream_set_of(d);
    for (int i = 0; i < SPLITS; i++) {
        msa_free(d->m, set->splits[i].rows);
        for (int text = 0; text < RECORD_TEXTS; text++)
            msa_free(d->m, set->splits[i].texts[text]);
    }
    mapping_close(d->m, set->map);
    msa_free(d->m, set->spool);
    msa_free(d->m, set);
}

static void describe(struct dataset *d, enum split split, dataset_key_fn *tell, void *closure)
{
    for (int i = 0; i < d->schema.count; i++) {
        struct schema_entry e = d->schema.entries[i];
        e.shape[0] = d->split[split].count;
        tell(closure, d->keys[i], dtype_names[e.dtype], e.rank, e.shape, d->schema.entries[i].name);
    }
    for (int i = 0; i < RECORD_TEXTS; i++)
        if (d->split[split].count && (i == RECORD_ID || stream_set_of(d)->splits[split].texts[i]))
            tell(closure, record_texts[i], "str", 1, &d->split[split].count, record_texts[i]);
}

const struct dataset_format dataset_stream = {.name = "stream",
                                              .label_key = "label",
                                              .open = open_set,
                                              .read = stream_set_read,
                                              .text = stream_set_text,
                                              .warn = warn_of_unknown,
                                              .remedy = remedy,
                                              .describe = describe,
                                              .close = close_set};
