/* Showing a frame, and what is looked up in it for that. */
#include "common/inspect/show.h"
#include "common/run/option.h"
#include "common/run/utf8.h"
#include "common/stream/tensor_codec.h"
#include <string.h>

void show_frame(const struct show *s, const struct frame *f, bool back)
{
    if (s->pipeline && s->json)
        show_pipeline_json(s, f);
    else if (s->pipeline)
        show_pipeline_text(s, f, "");
    else if (s->json)
        show_json(s, f, back);
    else
        show_text(s, f, back);
}

void show_flush(const struct show *s)
{
    msa_flush(s->m, s->to, "the report");
}

/* ---- Looking ---- */

bool show_is_tensor(const value *v, struct tensor *t)
{
    char text[256];
    return v->type == MSGPACK_OBJECT_MAP && v->via.map.size >= 5 &&
           v->via.map.ptr[0].key.type == MSGPACK_OBJECT_BIN && !value_tensor(v, "-", 1, t, text);
}

/* The tensors of a frame; NULL where it has none. */
static const msgpack_object_map *tensors_of(const struct frame *f)
{
    const value *all = value_get(f->map, "tensors");
    bool record = f->kind == FRAME_DATA || f->kind == FRAME_GRADIENT;
    return record && all && all->type == MSGPACK_OBJECT_MAP ? &all->via.map : NULL;
}

int show_tensors(const struct show *s, const struct frame *f, struct tensor tensors[RECORD_TENSORS])
{
    const msgpack_object_map *all = tensors_of(f);
    int count = 0;
    if (all && all->size > RECORD_TENSORS)
        frame_fail(s->m, f, NULL, "%u tensors but at most %d are allowed", all->size,
                   RECORD_TENSORS);
    for (uint32_t i = 0; all && i < all->size; i++) {
        char text[256], name[BODY_KEY + 1];
        const msgpack_object_str *key = &all->ptr[i].key.via.str;
        snprintf(name, sizeof name, "%.*s", (int)key->size, key->ptr);
        const char *wrong =
            value_tensor(&all->ptr[i].val, key->ptr, key->size, &tensors[count], text);
        if (wrong)
            frame_fail(s->m, f, name, "%s", wrong);
        count += !s->tensors || option_names(s->tensors, name);
    }
    return count;
}

void show_sample(FILE *to, const value *id, size_t i)
{
    bool named = id && id->type == MSGPACK_OBJECT_ARRAY && i < id->via.array.size &&
                 id->via.array.ptr[i].type == MSGPACK_OBJECT_STR;
    if (named)
        utf8_print(to, id->via.array.ptr[i].via.str.ptr, id->via.array.ptr[i].via.str.size);
    else
        fprintf(to, "%zu", i);
}

int64_t show_samples(const struct frame *f)
{
    const msgpack_object_map *all = tensors_of(f);
    const value *id = value_get(f->map, "id");
    struct tensor t;
    if (all && all->size && show_is_tensor(&all->ptr[0].val, &t) && t.rank)
        return (int64_t)t.shape[0];
    return id && id->type == MSGPACK_OBJECT_ARRAY ? (int64_t)id->via.array.size : -1;
}
