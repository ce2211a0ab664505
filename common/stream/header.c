/* The header H: what every stage reads first, signs and passes on. */
#include "common/run/utf8.h"
#include "common/stream/body.h"
#include "common/stream/frame_fields.h"
#include "common/stream/record.h"

#include <stdio.h>
#include <string.h>

/* In the order in which they are written; what else a header has follows. */
static const char *const known_keys[] = {"version", "mode",   "family",   "range", "seed", "epochs",
                                         "steps",   "schema", "pipeline", "back",  "need", NULL};
static const char *const entry_keys[] = {"dtype", "shape", "gradient", "columns", NULL};

enum { KNOWN_KEYS = sizeof known_keys / sizeof *known_keys - 1 };

/* ---- Schema ---- */

const struct schema_entry *schema_find(const struct schema *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].name, name) == 0)
            return &s->entries[i];
    return NULL;
}

const struct schema_entry *schema_floats(struct msa *m, const struct schema *s, const char *name,
                                         int rank)
{
    const struct schema_entry *e = schema_find(s, name);
    char shape[128];
    bool fits = true;
    for (int i = 1; e && i < e->rank; i++)
        fits = fits && e->shape[i] > 0 && e->shape[i] <= SCHEMA_MOST;
    if (e && (e->dtype != F4 || e->rank != rank || !fits))
        msa_fail(m, MSA_CORRUPT,
                 "header: '%s' is %s %s but expected <f4 of rank %d, dimensions from 1 to %d", name,
                 dtype_names[e->dtype], tensor_shape_text(shape, e->rank, e->shape), rank,
                 SCHEMA_MOST);
    return e;
}

void schema_add(struct msa *m, struct schema *s, const char *name, enum dtype dtype, int rank,
                const size_t *shape, bool gradient)
{
    if (strlen(name) > TENSOR_NAME || rank > TENSOR_RANK)
        msa_fail(m, MSA_FAILED, "schema: tensor '%s' of rank %d does not fit", name, rank);
    struct schema_entry *e = (struct schema_entry *)schema_find(s, name);
    if (!e && s->count == RECORD_TENSORS)
        msa_fail(m, MSA_FAILED, "schema: no room for tensor '%s', %d are there", name, s->count);
    if (!e)
        e = &s->entries[s->count++];
    *e = (struct schema_entry){.dtype = dtype, .rank = rank, .gradient = gradient};
    strcpy(e->name, name);
    for (int i = 0; i < rank; i++)
        e->shape[i] = i ? shape[i] : 0;
}

void schema_columns(struct schema *s, const char *name, char (*columns)[TENSOR_NAME + 1])
{
    ((struct schema_entry *)schema_find(s, name))->columns = columns;
}

void schema_remove(struct schema *s, const char *name)
{
    struct schema_entry *e = (struct schema_entry *)schema_find(s, name);
    if (!e)
        return;
    s->count--;
    memmove(e, e + 1, (size_t)(s->entries + s->count - e) * sizeof *e);
}

/* ---- Reading ---- */

static void parse_shape(struct msa *m, const struct frame *f, const value *shape,
                        struct schema_entry *e)
{
    if (!shape || shape->type != MSGPACK_OBJECT_ARRAY || shape->via.array.size > TENSOR_RANK)
        frame_fail(m, f, e->name, "schema: 'shape' is not an array of at most %d", TENSOR_RANK);
    e->rank = (int)shape->via.array.size;
    for (int i = 0; i < e->rank; i++) {
        const value *item = &shape->via.array.ptr[i];
        if (item->type != MSGPACK_OBJECT_POSITIVE_INTEGER || item->via.u64 > UINT32_MAX)
            frame_fail(m, f, e->name, "schema: a dimension is no whole number from 0");
        e->shape[i] = i ? item->via.u64 : 0;
    }
}

static void parse_columns(struct msa *m, const struct frame *f, const value *columns,
                          struct schema_entry *e)
{
    bool array = columns->type == MSGPACK_OBJECT_ARRAY;
    if (!array || e->rank < 2 || columns->via.array.size != e->shape[1])
        frame_fail(m, f, e->name, "schema: 'columns' is not an array with an item for each column");
    e->columns = msa_calloc(m, e->shape[1], sizeof *e->columns);
    for (size_t i = 0; i < e->shape[1]; i++) {
        const value *item = &columns->via.array.ptr[i];
        const msgpack_object_str *text = &item->via.str;
        if (item->type != MSGPACK_OBJECT_STR || !text->size || text->size > TENSOR_NAME ||
            !utf8_printable(text->ptr, text->size))
            frame_fail(m, f, e->name, "schema: column %zu is not a printable str of 1 to %d bytes",
                       i, TENSOR_NAME);
        memcpy(e->columns[i], text->ptr, text->size);
    }
}

static void parse_entry(struct msa *m, const struct frame *f, const msgpack_object_kv *pair,
                        struct schema_entry *e)
{
    const msgpack_object_str *name = &pair->key.via.str;
    if (pair->key.type != MSGPACK_OBJECT_STR || name->size > TENSOR_NAME)
        frame_fail(m, f, NULL, "schema: a name that is not a str of at most %d bytes", TENSOR_NAME);
    memcpy(e->name, name->ptr, name->size);
    const value *dtype = value_get(&pair->val, "dtype");
    int found = dtype && dtype->type == MSGPACK_OBJECT_STR
                    ? dtype_find(dtype->via.str.ptr, dtype->via.str.size)
                    : -1;
    if (found < 0)
        frame_fail(m, f, e->name, "schema: 'dtype' is not one that is known");
    e->dtype = (enum dtype)found;
    e->gradient = value_bool(&pair->val, "gradient", false);
    parse_shape(m, f, value_get(&pair->val, "shape"), e);
    const value *columns = value_get(&pair->val, "columns");
    if (columns)
        parse_columns(m, f, columns, e);
}

static void parse_schema(struct msa *m, const struct frame *f, struct schema *s)
{
    const value *map = field_map(m, f, "schema");
    uint32_t count = map ? map->via.map.size : 0;
    if (count > RECORD_TENSORS)
        frame_fail(m, f, NULL, "a schema of %u tensors but at most %d are allowed", count,
                   RECORD_TENSORS);
    for (uint32_t i = 0; i < count; i++)
        parse_entry(m, f, &map->via.map.ptr[i], &s->entries[s->count++]);
}

/* The feature that a reader must know; others it does not. */
static const char surveys[] = "survey";

/* Is it among the features that the stream needs? */
static bool needs_surveys(struct msa *m, const struct frame *f)
{
    const value *need = field_array(m, f, "need");
    for (uint32_t i = 0; need && i < need->via.array.size; i++) {
        const value *one = &need->via.array.ptr[i];
        bool text = one->type == MSGPACK_OBJECT_STR;
        if (!value_equals(one, surveys))
            frame_fail(m, f, NULL, "the stream needs '%.*s', which this version does not know",
                       text ? (int)one->via.str.size : 1, text ? one->via.str.ptr : "?");
    }
    return need && need->via.array.size;
}

static void parse_mode(struct header *h, const struct frame *f)
{
    char mode[8];
    field_text(h->m, f, "mode", mode, sizeof mode);
    h->train = strcmp(mode, "train") == 0;
    h->back = strcmp(mode, "back") == 0;
    if (!h->train && !h->back && strcmp(mode, "eval") != 0)
        frame_fail(h->m, f, NULL, "mode '%s' but expected train, eval or back", mode);
}

static uint64_t parse_seed(struct msa *m, const struct frame *f)
{
    const value *seed = value_get(f->map, "seed");
    if (seed && seed->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        frame_fail(m, f, NULL, "'seed' is no whole number from 0");
    return seed ? seed->via.u64 : 0;
}

struct header *header_new(struct msa *m)
{
    struct header *h = msa_alloc(m, sizeof *h);
    h->m = m;
    h->zone = value_zone(m);
    h->map = value_map();
    return h;
}

struct header *header_parse(struct msa *m, const struct frame *f)
{
    if (f->kind != FRAME_HEADER)
        frame_fail(m, f, NULL, "kind %c but expected H", f->kind);
    if (field_int(m, f, "version", 0, FRAME_VERSION) != FRAME_VERSION)
        frame_fail(m, f, NULL, "'version' is not %d", FRAME_VERSION);
    bool surveyed = needs_surveys(m, f);
    struct header *h = header_new(m);
    h->surveyed = surveyed;
    h->map = value_copy(m, h->zone, f->map);
    parse_mode(h, f);
    field_text(m, f, "family", h->family, sizeof h->family);
    h->range = field_real(m, f, "range", 0);
    h->seed = parse_seed(m, f);
    h->epochs = field_int(m, f, "epochs", 0, 0);
    h->steps = field_int(m, f, "steps", 0, 0);
    field_text(m, f, "back", h->address, sizeof h->address);
    field_array(m, f, "pipeline");
    parse_schema(m, f, &h->schema);
    return h;
}

const char *header_parameters(const struct header *h, int i)
{
    const value *files = value_get(&h->map, "parameters");
    if (!files || files->type != MSGPACK_OBJECT_ARRAY || (uint32_t)i >= files->via.array.size)
        return NULL;
    const value *file = &files->via.array.ptr[i];
    bool text = file->type == MSGPACK_OBJECT_STR;
    return msa_strndup(h->m, text ? file->via.str.ptr : "", text ? file->via.str.size : 0);
}

long header_training_steps(const struct header *h)
{
    long steps;
    return __builtin_mul_overflow(h->steps, h->epochs, &steps) || steps < 1 ? 0 : steps;
}

long header_checkpoints(const struct header *h)
{
    return (long)value_int(&h->map, "checkpoints", h->epochs);
}

long header_samples(const struct header *h, const char *split)
{
    const value *samples = value_get(&h->map, "samples");
    if (!samples) /* of version 0.1.0: those that come */
        samples = value_get(&h->map, "splits");
    if (!samples)
        return -1;
    long count = (long)value_int(samples, split, value_get(samples, split) ? -1 : 0);
    if (samples->type != MSGPACK_OBJECT_MAP || count < 0)
        msa_fail(h->m, MSA_CORRUPT, "header: 'samples' has no whole number from 0 for split '%s'",
                 split);
    return count;
}

/* ---- Writing ---- */

static value pipeline_of(const struct header *h)
{
    const value *pipeline = value_get(&h->map, "pipeline");
    return pipeline ? *pipeline : value_array();
}

static void sign(struct header *h, int count)
{
    struct msa *m = h->m;
    value self = value_map(), argv = value_nils(m, h->zone, (size_t)count);
    for (int i = 0; i < count; i++)
        argv.via.array.ptr[i] = value_str(m, h->zone, m->argv[i + 1]);
    value_set(m, h->zone, &self, "name", value_str(m, h->zone, m->program));
    value_set(m, h->zone, &self, "version", value_str(m, h->zone, MSA_VERSION));
    value_set(m, h->zone, &self, "argv", argv);
    value pipeline = pipeline_of(h);
    value_push(m, h->zone, &pipeline, self);
    value_set(m, h->zone, &h->map, "pipeline", pipeline);
}

void header_sign(struct header *h)
{
    sign(h, h->m->argc > 1 ? h->m->argc - 1 : 0);
}

void header_sign_name(struct header *h)
{
    sign(h, 0);
}

int header_position(const struct header *h)
{
    return (int)pipeline_of(h).via.array.size;
}

static void write_columns(struct body *b, const struct schema_entry *e)
{
    body_str(b, "columns");
    body_array(b, e->shape[1]);
    for (size_t i = 0; i < e->shape[1]; i++)
        body_str(b, e->columns[i]);
}

/* What an entry had besides what is known is kept. */
static void write_entry(struct body *b, const struct schema_entry *e, const value *old)
{
    body_str(b, e->name);
    body_map(b, 3 + (e->columns != NULL) + (old ? value_others(old, entry_keys) : 0));
    body_str(b, "dtype");
    body_str(b, dtype_names[e->dtype]);
    body_str(b, "shape");
    body_array(b, (size_t)e->rank);
    for (int i = 0; i < e->rank; i++)
        body_int(b, (int64_t)e->shape[i]);
    body_str(b, "gradient");
    body_bool(b, e->gradient);
    if (e->columns)
        write_columns(b, e);
    if (old)
        body_others(b, old, entry_keys);
}

static void write_schema(const struct header *h, struct body *b)
{
    const value *old = value_get(&h->map, "schema");
    body_str(b, "schema");
    body_map(b, (size_t)h->schema.count);
    for (int i = 0; i < h->schema.count; i++)
        write_entry(b, &h->schema.entries[i], value_get(old, h->schema.entries[i].name));
}

void header_write(struct header *h, struct writer *w)
{
    struct body *b = body_begin(w);
    value pipeline = pipeline_of(h);
    body_map(b, KNOWN_KEYS + value_others(&h->map, known_keys));
    body_str(b, "version");
    body_int(b, FRAME_VERSION);
    body_str(b, "mode");
    body_str(b, h->back ? "back" : h->train ? "train" : "eval");
    body_str(b, "family");
    body_str(b, h->family);
    body_str(b, "range");
    body_real(b, h->range);
    body_str(b, "seed");
    msgpack_pack_uint64(&b->packer, h->seed);
    body_str(b, "epochs");
    body_int(b, h->epochs);
    body_str(b, "steps");
    body_int(b, h->steps);
    write_schema(h, b);
    body_str(b, "pipeline");
    body_value(b, &pipeline);
    body_str(b, "back");
    body_str(b, h->address);
    body_str(b, "need");
    body_array(b, h->surveyed);
    if (h->surveyed)
        body_str(b, surveys);
    body_others(b, &h->map, known_keys);
    body_write(w, b, FRAME_HEADER);
}
