/* Frames in lines for people. */
#include "common/inspect/show.h"
#include "common/run/option.h"
#include "common/run/utf8.h"
#include "common/stream/record.h"
#include "common/stream/stats.h"
#include <ctype.h>
#include <string.h>

/* ---- Tensors ---- */

static void print_values(FILE *to, const struct tensor *t, const value *id)
{
    size_t rows = !t->count ? 0 : t->rank ? t->shape[0] : 1, width = rows ? t->count / rows : 0;
    bool whole = dtype_whole(t->dtype);
    char number[TENSOR_NUMBER];
    for (size_t i = 0; i < rows; i++) {
        fputs("        ", to);
        show_sample(to, id, i);
        fputc(':', to);
        for (size_t k = 0; k < width; k++)
            if (whole)
                fprintf(to, " %s", tensor_number_text(number, t, i * width + k));
            else
                fprintf(to, " %.9g", tensor_value(t, i * width + k));
        fputc('\n', to);
    }
}

static void print_tensors(const struct show *s, const struct frame *f)
{
    struct tensor tensors[RECORD_TENSORS];
    int count = show_tensors(s, f, tensors), names = 0, types = 0;
    char shape[128];
    for (int i = 0; i < count; i++) {
        const struct tensor *t = &tensors[i];
        int name = (int)strlen(t->name);
        int type = (int)strlen(tensor_shape_text(shape, t->rank, t->shape));
        names = name > names ? name : names;
        types = type > types ? type : types;
    }
    for (int i = 0; i < count; i++) {
        const struct tensor *t = &tensors[i];
        struct stats n = stats_of(t);
        fprintf(s->to, "    %-*s %s%-*s", names, t->name, dtype_names[t->dtype], types,
                tensor_shape_text(shape, t->rank, t->shape));
        fprintf(s->to, "  min %-11.5g mean %-11.5g max %-11.5g deviation %-10.5g", n.min, n.mean,
                n.max, n.deviation);
        fprintf(s->to, " zeros %zu non-finite %zu\n", n.zeros, n.non_finite);
        if (s->values)
            print_values(s->to, t, value_get(f->map, "id"));
    }
}

/* What was said in each sample, with the values of its tensors. */
static void print_raw_text(const struct show *s, const struct frame *f)
{
    const value *text = value_get(f->map, record_texts[RECORD_RAW_TEXT]);
    if (!s->values || s->tensors || !text || text->type != MSGPACK_OBJECT_ARRAY)
        return;
    fprintf(s->to, "    %s\n", record_texts[RECORD_RAW_TEXT]);
    for (uint32_t i = 0; i < text->via.array.size; i++) {
        fputs("        ", s->to);
        show_sample(s->to, value_get(f->map, record_texts[RECORD_ID]), i);
        fputs(": ", s->to);
        show_sample(s->to, text, i);
        fputc('\n', s->to);
    }
}

/* ---- Headers ---- */

/* An argument as a shell would take it. */
static void print_argument(FILE *to, const char *text, size_t length)
{
    bool plain = length;
    for (size_t i = 0; i < length && plain; i++)
        plain = isalnum((unsigned char)text[i]) || strchr("-_./=,:@%+", text[i]) ||
                (unsigned char)text[i] >= 0x80;
    if (!plain)
        fputc('\'', to);
    for (size_t i = 0, part; i < length; i += part + 1) {
        const char *quote = memchr(text + i, '\'', length - i);
        part = quote ? (size_t)(quote - text) - i : length - i;
        utf8_print(to, text + i, part);
        if (quote)
            fputs("'\\''", to);
    }
    if (!plain)
        fputc('\'', to);
}

void show_pipeline_text(const struct show *s, const struct frame *f, const char *indent)
{
    const value *all = value_get(f->map, "pipeline");
    bool known = all && all->type == MSGPACK_OBJECT_ARRAY;
    for (uint32_t i = 0; known && i < all->via.array.size; i++) {
        const value *program = &all->via.array.ptr[i], *argv = value_get(program, "argv");
        const char *const keys[] = {"name", "version"};
        fputs(indent, s->to);
        for (int k = 0; k < 2; k++) {
            const value *v = value_get(program, keys[k]);
            fputs(k ? " " : "", s->to);
            if (v && v->type == MSGPACK_OBJECT_STR)
                utf8_print(s->to, v->via.str.ptr, v->via.str.size);
            else
                fputc('?', s->to);
        }
        bool listed = argv && argv->type == MSGPACK_OBJECT_ARRAY;
        for (uint32_t k = 0; listed && k < argv->via.array.size; k++) {
            const value *v = &argv->via.array.ptr[k];
            fputc(' ', s->to);
            if (v->type == MSGPACK_OBJECT_STR)
                print_argument(s->to, v->via.str.ptr, v->via.str.size);
        }
        fputc('\n', s->to);
    }
}

/* "<f4[*,50,768]" */
static void print_entry(FILE *to, const value *entry)
{
    const value *dtype = value_get(entry, "dtype"), *shape = value_get(entry, "shape");
    if (!dtype || !shape || shape->type != MSGPACK_OBJECT_ARRAY) {
        show_value(to, entry);
        return;
    }
    show_value(to, dtype);
    for (uint32_t i = 0; i < shape->via.array.size; i++) {
        fputs(i ? "," : "[*", to);
        if (i)
            show_value(to, &shape->via.array.ptr[i]);
    }
    fputs(value_bool(entry, "gradient", false) ? "] takes a gradient" : "]", to);
}

static void print_schema(const struct show *s, const struct frame *f)
{
    const value *all = value_get(f->map, "schema");
    bool known = all && all->type == MSGPACK_OBJECT_MAP;
    int names = 0;
    for (uint32_t i = 0; known && i < all->via.map.size; i++)
        names = (int)all->via.map.ptr[i].key.via.str.size > names
                    ? (int)all->via.map.ptr[i].key.via.str.size
                    : names;
    for (uint32_t i = 0; known && i < all->via.map.size; i++) {
        const msgpack_object_kv *pair = &all->via.map.ptr[i];
        fprintf(s->to, "    %-*.*s ", names, (int)pair->key.via.str.size, pair->key.via.str.ptr);
        print_entry(s->to, &pair->val);
        fputc('\n', s->to);
    }
}

/* ---- Frames ---- */

/* Keys that have lines of their own, or are said otherwise. */
static const char *own_lines(enum frame_kind kind)
{
    switch (kind) {
    case FRAME_HEADER:
        return "schema,pipeline";
    case FRAME_DATA:
    case FRAME_GRADIENT:
        return "tensors,id,raw_text";
    case FRAME_ERROR:
        return "who,what";
    default:
        return "";
    }
}

static void print_keys(const struct show *s, const struct frame *f)
{
    for (uint32_t i = 0; i < f->map->via.map.size; i++) {
        const msgpack_object_kv *pair = &f->map->via.map.ptr[i];
        char key[BODY_KEY + 1];
        snprintf(key, sizeof key, "%.*s", (int)pair->key.via.str.size, pair->key.via.str.ptr);
        if (option_names(own_lines(f->kind), key))
            continue;
        fprintf(s->to, "  %s ", key);
        show_value(s->to, &pair->val);
    }
}

static void print_error(const struct show *s, const struct frame *f)
{
    const value *who = value_get(f->map, "who"), *what = value_get(f->map, "what");
    bool told = who && who->type == MSGPACK_OBJECT_STR && what && what->type == MSGPACK_OBJECT_STR;
    if (!told)
        return;
    fputs("  ", s->to);
    utf8_print(s->to, who->via.str.ptr, who->via.str.size);
    fputs(": ", s->to);
    utf8_print(s->to, what->via.str.ptr, what->via.str.size);
}

void show_text(const struct show *s, const struct frame *f, bool back)
{
    int64_t samples = show_samples(f);
    fprintf(s->to, "%s%u %c  %zu bytes", back ? "back " : "", f->seq, f->kind, f->length);
    if (samples >= 0)
        fprintf(s->to, "  samples %jd", (intmax_t)samples);
    print_keys(s, f);
    if (f->kind == FRAME_ERROR)
        print_error(s, f);
    fputc('\n', s->to);
    if (f->kind == FRAME_HEADER) {
        print_schema(s, f);
        show_pipeline_text(s, f, "    made by ");
    }
    print_tensors(s, f);
    if (f->kind == FRAME_DATA)
        print_raw_text(s, f);
}
