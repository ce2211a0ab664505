/* NaN and infinities in records. */
#include "common/stream/finite.h"
#include "common/stream/stats.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Elements that are looked at together, and samples that are named. */
enum { BLOCK = 1024, NAMED = 3, ID = 64 /* bytes */ };

/* --- the search --- */

/* A float32 is NaN or infinite when all bits of its exponent are set. */
static bool block_finite(const unsigned char *floats)
{
    static const uint32_t exponent = 0x7f800000;
    uint32_t found = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        uint32_t bits;
        memcpy(&bits, floats + i * sizeof bits, sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return !found;
}

/* The same from element `at` on. */
static size_t next_nonfinite(const struct tensor *t, size_t at)
{
    const unsigned char *bytes = t->data;
    if (dtype_whole(t->dtype))
        return t->count;
    while (t->dtype == F4 && t->count - at >= BLOCK && block_finite(bytes + at * sizeof(float)))
        at += BLOCK;
    while (at < t->count && isfinite(tensor_value(t, at)))
        at++;
    return at;
}

size_t tensor_nonfinite(const struct tensor *t)
{
    return next_nonfinite(t, 0);
}

/* In the map of losses or weights. */
static bool map_nonfinite(const struct record *r, const char *key, struct nonfinite *found)
{
    const value *map = value_get(&r->map, key);
    for (uint32_t i = 0; map && i < map->via.map.size; i++) {
        *found = (struct nonfinite){.kind = key};
        found->number = value_real(map, value_key(map, i, found->name), 0);
        if (!isfinite(found->number))
            return true;
    }
    return false;
}

bool record_scalar_nonfinite(const struct record *r, struct nonfinite *found)
{
    return map_nonfinite(r, "loss", found) || map_nonfinite(r, "weight", found);
}

bool record_nonfinite(const struct record *r, struct nonfinite *found)
{
    for (int i = 0; i < r->count; i++) {
        const struct tensor *t = &r->tensors[i];
        size_t at = tensor_nonfinite(t);
        if (at == t->count)
            continue;
        *found = (struct nonfinite){
            .kind = "tensor", .number = tensor_value(t, at), .tensor = t, .at = at};
        snprintf(found->name, sizeof found->name, "%s", t->name);
        return true;
    }
    if (r->frame.kind == FRAME_GRADIENT) /* what is called so there has not been checked */
        return false;
    return record_scalar_nonfinite(r, found);
}

/* --- the check --- */

/* A line that grows; what does not fit is left out. */
struct text {
    size_t used;
    char *line; /* of NONFINITE_TEXT bytes */
};

static MSA_PRINTF(2, 3) void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t left = NONFINITE_TEXT - text->used;
    int length = vsnprintf(text->line + text->used, left, format, arguments);
    va_end(arguments);
    text->used += (size_t)length < left ? (size_t)length : left - 1;
}

const char *nonfinite_called(double number)
{
    return isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
}

/* Number and id of a sample. */
static void add_sample(struct text *text, const struct record *of, size_t number)
{
    const value *id = value_get(&of->map, "id");
    add(text, " %zu", number);
    if (id && number < id->via.array.size) {
        const msgpack_object_str *name = &id->via.array.ptr[number].via.str;
        add(text, " '%.*s'", name->size < ID ? (int)name->size : ID, name->ptr);
    }
}

/* The samples that have such numbers; a loss or weight is of all. */
static void add_samples(struct text *text, const struct record *of, const struct nonfinite *n)
{
    size_t each = n->tensor ? n->tensor->count / n->tensor->shape[0] : 1,
           count = n->tensor ? n->tensor->count : of->samples, affected = 0;
    for (size_t at = n->at; at < count; affected++) {
        if (affected < NAMED)
            add(text, affected ? "," : n->tensor ? ", in samples" : " of samples");
        if (affected < NAMED)
            add_sample(text, of, at / each);
        at = (at / each + 1) * each;
        at = n->tensor ? next_nonfinite(n->tensor, at) : at;
    }
    if (affected > NAMED)
        add(text, " and %zu more", affected - NAMED);
}

void nonfinite_text(const struct nonfinite *n, const struct record *r, const struct record *of,
                    const char *verb, char line[NONFINITE_TEXT])
{
    struct text text = {.line = line};
    char place[128];
    const struct record *said = of ? of : r; /* a gradient names no split */
    add(&text, "epoch %jd, step %jd", (intmax_t)r->epoch, (intmax_t)r->step);
    if (said->split[0])
        add(&text, " (%s)", said->split);
    add(&text, ": %s%s '%s' with %s", verb, of == r ? n->kind : "gradient by", n->name,
        nonfinite_called(n->number));
    if (n->tensor && n->tensor->rank)
        add(&text, " at %s", tensor_place_text(place, n->tensor, n->at));
    if (!n->tensor || n->tensor->rank)
        add_samples(&text, said, n);
}

void record_check_finite(const struct record *r, const struct record *of, bool written)
{
    struct nonfinite n;
    char line[NONFINITE_TEXT];
    if (!r->m->common.check_finite || !record_nonfinite(r, &n))
        return;
    nonfinite_text(&n, r, of, written ? "writes " : "reads ", line);
    msa_fail(r->m, MSA_FAILED, "%s", line);
}
