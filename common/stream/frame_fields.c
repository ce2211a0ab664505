/* The known keys of a frame, checked as they are read. */
#include "common/stream/frame_fields.h"
#include "common/run/utf8.h"

#include <string.h>

int64_t field_int(struct msa *m, const struct frame *f, const char *key, int64_t least,
                  int64_t otherwise)
{
    if (!value_get(f->map, key))
        return otherwise;
    int64_t i = value_int(f->map, key, INT64_MIN);
    if (i == INT64_MIN || i < least)
        frame_fail(m, f, NULL, "'%s' is no whole number from %jd", key, (intmax_t)least);
    return i;
}

double field_real(struct msa *m, const struct frame *f, const char *key, double otherwise)
{
    if (!value_get(f->map, key))
        return otherwise;
    double d = value_real(f->map, key, __builtin_nan(""));
    if (!__builtin_isfinite(d))
        frame_fail(m, f, NULL, "'%s' is no finite number", key);
    return d;
}

static const value *typed(struct msa *m, const struct frame *f, const char *key,
                          msgpack_object_type type, const char *name)
{
    const value *v = value_get(f->map, key);
    if (v && v->type != type)
        frame_fail(m, f, NULL, "'%s' is not %s", key, name);
    return v;
}

bool field_bool(struct msa *m, const struct frame *f, const char *key, bool otherwise)
{
    const value *v = typed(m, f, key, MSGPACK_OBJECT_BOOLEAN, "true or false");
    return v ? v->via.boolean : otherwise;
}

void field_text(struct msa *m, const struct frame *f, const char *key, char *to, size_t size)
{
    const value *v = typed(m, f, key, MSGPACK_OBJECT_STR, "a str");
    to[0] = '\0';
    if (!v)
        return;
    if (v->via.str.size >= size || !utf8_printable(v->via.str.ptr, v->via.str.size))
        frame_fail(m, f, NULL, "'%s' is not a printable str of at most %zu bytes", key, size - 1);
    memcpy(to, v->via.str.ptr, v->via.str.size);
    to[v->via.str.size] = '\0';
}

const value *field_map(struct msa *m, const struct frame *f, const char *key)
{
    return typed(m, f, key, MSGPACK_OBJECT_MAP, "a map");
}

const value *field_array(struct msa *m, const struct frame *f, const char *key)
{
    return typed(m, f, key, MSGPACK_OBJECT_ARRAY, "an array");
}
