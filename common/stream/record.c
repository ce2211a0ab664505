/* Records D and gradients G: named tensors, and what is said about them. */
#include "common/stream/record.h"
#include "common/stream/body.h"
#include "common/stream/frame_fields.h"
#include "common/stream/tensor_codec.h"

#include <stdio.h>
#include <string.h>

const char *const record_texts[RECORD_TEXTS] = {"id", "raw_text"};

/* Keys of a record that are fields or tensors. */
static const char *const field_keys[] = {"epoch", "step", "split", "train", "tensors", NULL};

/* Keys that stay in `map` but have their place when written, before `tensors`; all others come
 * behind. */
static const char *const data_keys[] = {"id",   "raw_text", "loss",  "weight",  "epoch",
                                        "step", "split",    "train", "tensors", NULL};
static const char *const gradient_keys[] = {"lr",    "optimizer", "epoch",   "step",
                                            "split", "train",     "tensors", NULL};
enum { DATA_PLACED = 4, GRADIENT_PLACED = 2 };

/* ---- Reading ---- */

static void parse_tensor(struct record *r, const msgpack_object_kv *pair)
{
    char text[256], name[TENSOR_NAME + 1];
    const msgpack_object_str *key = &pair->key.via.str;
    snprintf(name, sizeof name, "%.*s", (int)key->size, key->ptr);
    if (pair->key.type != MSGPACK_OBJECT_STR)
        frame_fail(r->m, &r->frame, name, "a name that is not a str");
    struct tensor *t = &r->tensors[r->count++];
    const char *wrong = value_tensor(&pair->val, key->ptr, key->size, t, text);
    if (wrong)
        frame_fail(r->m, &r->frame, name, "%s", wrong);
    if (r->frame.kind == FRAME_DATA && t->rank == 0)
        frame_fail(r->m, &r->frame, name, "rank 0 but a record's tensor has at least the samples");
    if (r->count == 1)
        r->samples = t->rank ? t->shape[0] : 0;
    if (r->frame.kind == FRAME_DATA && t->shape[0] != r->samples)
        frame_fail(r->m, &r->frame, name, "%zu samples but expected %zu, as '%s' has", t->shape[0],
                   r->samples, r->tensors[0].name);
}

static void parse_tensors(struct record *r)
{
    const value *tensors = field_map(r->m, &r->frame, "tensors");
    if (!tensors)
        frame_fail(r->m, &r->frame, NULL, "no 'tensors'");
    uint32_t count = tensors->via.map.size;
    if (count > RECORD_TENSORS)
        frame_fail(r->m, &r->frame, NULL, "%u tensors but at most %d are allowed", count,
                   RECORD_TENSORS);
    for (uint32_t i = 0; i < count; i++)
        parse_tensor(r, &tensors->via.map.ptr[i]);
}

/* One str per sample. The first of what a record has tells how many samples there are: a tensor, or
 * else a text. */
static void check_text(struct record *r, const char *key, bool *counted)
{
    const value *texts = field_array(r->m, &r->frame, key);
    if (!texts)
        return;
    if (!*counted)
        r->samples = texts->via.array.size;
    *counted = true;
    if (texts->via.array.size != r->samples)
        frame_fail(r->m, &r->frame, NULL, "'%s' has %u samples but expected %zu", key,
                   texts->via.array.size, r->samples);
    for (uint32_t i = 0; i < texts->via.array.size; i++)
        if (texts->via.array.ptr[i].type != MSGPACK_OBJECT_STR)
            frame_fail(r->m, &r->frame, NULL, "'%s' has an item that is not a str", key);
}

static void check_texts(struct record *r)
{
    bool counted = r->count > 0;
    for (int i = 0; i < RECORD_TEXTS; i++)
        check_text(r, record_texts[i], &counted);
}

/* loss and weight are numbers by task. */
static void check_numbers(struct record *r, const char *key)
{
    const value *map = field_map(r->m, &r->frame, key);
    for (uint32_t i = 0; map && i < map->via.map.size; i++) {
        const msgpack_object_kv *pair = &map->via.map.ptr[i];
        bool number = pair->val.type == MSGPACK_OBJECT_FLOAT32 ||
                      pair->val.type == MSGPACK_OBJECT_FLOAT64 ||
                      pair->val.type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                      pair->val.type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
        if (pair->key.type != MSGPACK_OBJECT_STR || !number)
            frame_fail(r->m, &r->frame, NULL, "'%s' is not a map of str to numbers", key);
    }
}

void record_parse(struct msa *m, struct record *r, struct frame *f)
{
    if (f->kind != FRAME_DATA && f->kind != FRAME_GRADIENT)
        frame_fail(m, f, NULL, "kind %c but expected D or G", f->kind);
    *r = (struct record){.m = m, .frame = *f, .map = *f->map, .zone = f->zone};
    *f = (struct frame){0};
    r->epoch = field_int(m, &r->frame, "epoch", 0, 0);
    r->step = field_int(m, &r->frame, "step", 0, 0);
    field_text(m, &r->frame, "split", r->split, sizeof r->split);
    r->train = field_bool(m, &r->frame, "train", false);
    parse_tensors(r);
    if (r->frame.kind == FRAME_DATA) {
        check_texts(r);
        check_numbers(r, "loss");
        check_numbers(r, "weight");
    }
    for (const char *const *key = field_keys; *key; key++)
        value_remove(&r->map, *key);
}

void record_view(struct msa *m, struct record *r, const struct frame *f)
{
    struct frame copy = *f;
    value map = value_same_pairs(m, f->zone, f->map);
    copy.map = &map;
    copy.slot = NULL;
    record_parse(m, r, &copy);
    r->frame.map = f->map;
}

void record_new(struct msa *m, struct record *r)
{
    *r = (struct record){.m = m, .map = value_map(), .zone = value_zone(m)};
}

void record_remember(struct msa *m, struct record *kept, const struct record *r)
{
    const value *id = value_get(&r->map, "id");
    record_free(kept);
    record_new(m, kept);
    kept->samples = r->samples;
    memcpy(kept->split, r->split, sizeof kept->split);
    if (id)
        value_set(m, kept->zone, &kept->map, "id", value_copy(m, kept->zone, id));
}

void record_free(struct record *r)
{
    if (r->frame.slot)
        frame_free(&r->frame);
    else if (r->m)
        msa_free(r->m, r->zone);
    *r = (struct record){0};
}

/* ---- Tensors ---- */

static int find(const struct record *r, const char *name)
{
    int i = 0;
    while (i < r->count && strcmp(r->tensors[i].name, name) != 0)
        i++;
    return i;
}

bool record_is_survey(const struct record *r)
{
    return strcmp(r->split, "survey") == 0;
}

const struct tensor *record_find(const struct record *r, const char *name)
{
    int i = find(r, name);
    return i < r->count ? &r->tensors[i] : NULL;
}

const struct tensor *record_promised(const struct record *r, const struct schema_entry *e)
{
    const struct tensor *t = record_find(r, e->name);
    char found[128], text[128];
    size_t expected[TENSOR_RANK] = {r->samples};
    if (!t)
        frame_fail(r->m, &r->frame, e->name, "not there, but the header promised it");
    for (int i = 1; i < e->rank; i++)
        expected[i] = e->shape[i];
    if (t->dtype != e->dtype || !tensor_same_shape(t->rank, t->shape, e->rank, expected))
        frame_fail(r->m, &r->frame, e->name, "%s %s but the header promised %s %s",
                   dtype_names[t->dtype], tensor_shape_text(found, t->rank, t->shape),
                   dtype_names[e->dtype], tensor_shape_text(text, e->rank, expected));
    return t;
}

static const struct schema_entry *index_promised(const struct header *h)
{
    const struct schema_entry *e = schema_find(&h->schema, "index");
    char shape[128];
    if (e && (e->dtype != I8 || e->rank != 1))
        msa_fail(h->m, MSA_CORRUPT, "header: 'index' is %s %s but expected <i8 [0]",
                 dtype_names[e->dtype], tensor_shape_text(shape, e->rank, e->shape));
    return e;
}

static _Noreturn void wrong_index(const struct record *r, size_t i, int64_t index, long samples)
{
    const char *below = "";
    if (samples >= 0)
        below = msa_format(r->m, ", below the %ld samples of split '%s'", samples, r->split);
    frame_fail(r->m, &r->frame, "index", "[%zu] is %jd but expected a number from 0%s", i,
               (intmax_t)index, below);
}

const int64_t *record_index(const struct record *r, const struct header *h)
{
    const struct schema_entry *e = index_promised(h);
    if (!e)
        return NULL;
    const struct tensor *t = record_promised(r, e);
    long samples = header_samples(h, r->split);
    int64_t *index = msgpack_zone_malloc(r->zone, r->samples * sizeof *index + 1);
    if (!index)
        msa_fail(r->m, MSA_FAILED, "out of memory: %zu samples", r->samples);
    for (size_t i = 0; i < r->samples; i++)
        if (!tensor_whole(t, i, &index[i]) || index[i] < 0 || (samples >= 0 && index[i] >= samples))
            wrong_index(r, i, index[i], samples);
    return index;
}

void record_put(struct msa *m, struct record *r, struct tensor t)
{
    int i = find(r, t.name);
    if (i == RECORD_TENSORS)
        msa_fail(m, MSA_FAILED, "no room for tensor '%s' in a record of %d", t.name,
                 RECORD_TENSORS);
    if (i == r->count)
        r->count++;
    r->tensors[i] = t;
}

void record_remove(struct record *r, const char *name)
{
    int i = find(r, name);
    if (i == r->count)
        return;
    r->count--;
    memmove(&r->tensors[i], &r->tensors[i + 1], (size_t)(r->count - i) * sizeof *r->tensors);
}

/* ---- Losses ---- */

double record_total_loss(const struct record *r)
{
    const value *losses = value_get(&r->map, "loss"), *weights = value_get(&r->map, "weight");
    double total = 0;
    for (uint32_t i = 0; losses && i < losses->via.map.size; i++) {
        char name[BODY_KEY + 1];
        value_key(losses, i, name);
        total += value_real(weights, name, 1) * value_real(losses, name, 0);
    }
    return total;
}

/* ---- Writing ---- */

static void write_tensors(const struct record *r, struct body *b)
{
    body_str(b, "tensors");
    body_map(b, (size_t)r->count);
    for (int i = 0; i < r->count; i++) {
        body_str(b, r->tensors[i].name);
        body_tensor(b, &r->tensors[i]);
    }
}

void record_write(struct record *r, struct writer *w, enum frame_kind kind)
{
    bool data = kind == FRAME_DATA;
    const char *const *placed = data ? data_keys : gradient_keys;
    int placed_count = data ? DATA_PLACED : GRADIENT_PLACED;
    size_t pairs = (data ? 5 : 3) + value_others(&r->map, placed);
    for (int i = 0; i < placed_count; i++)
        pairs += value_get(&r->map, placed[i]) != NULL;
    struct body *b = body_begin(w);
    body_map(b, pairs);
    body_str(b, "epoch");
    body_int(b, r->epoch);
    body_str(b, "step");
    body_int(b, r->step);
    if (data) {
        body_str(b, "split");
        body_str(b, r->split);
        body_str(b, "train");
        body_bool(b, r->train);
    }
    for (int i = 0; i < placed_count; i++) {
        const value *v = value_get(&r->map, placed[i]);
        if (v) {
            body_str(b, placed[i]);
            body_value(b, v);
        }
    }
    write_tensors(r, b);
    body_others(b, &r->map, placed);
    body_write(w, b, kind);
}
