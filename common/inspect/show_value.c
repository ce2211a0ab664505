/* Values in a few words: {key=value,key=[1,2]}. */
#include "common/inspect/show.h"
#include "common/run/utf8.h"
#include <string.h>

/* An array with more items than this is cut short. */
enum { ITEMS = 16 };

/* Quoted unless it is one plain word. */
static void print_word(FILE *to, const char *text, size_t length)
{
    bool plain = length && utf8_printable(text, length);
    for (size_t i = 0; i < length && plain; i++)
        plain = !strchr(" \"'\\{}[],=", text[i]);
    if (!plain)
        fputc('"', to);
    utf8_print(to, text, length);
    if (!plain)
        fputc('"', to);
}

static void print_map(FILE *to, const value *v)
{
    struct tensor t;
    char shape[128];
    if (show_is_tensor(v, &t)) {
        fprintf(to, "%s%s", dtype_names[t.dtype], tensor_shape_text(shape, t.rank, t.shape));
        return;
    }
    fputc('{', to);
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        const msgpack_object_kv *pair = &v->via.map.ptr[i];
        fputs(i ? "," : "", to);
        print_word(to, pair->key.via.str.ptr, pair->key.via.str.size);
        fputc('=', to);
        show_value(to, &pair->val);
    }
    fputc('}', to);
}

static void print_array(FILE *to, const value *v)
{
    uint32_t size = v->via.array.size;
    fputc('[', to);
    for (uint32_t i = 0; i < size && i < ITEMS; i++) {
        fputs(i ? "," : "", to);
        show_value(to, &v->via.array.ptr[i]);
    }
    if (size > ITEMS)
        fprintf(to, ",... %u in all", size);
    fputc(']', to);
}

void show_value(FILE *to, const value *v)
{
    switch (v->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        fputs(v->via.boolean ? "true" : "false", to);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        fprintf(to, "%ju", (uintmax_t)v->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        fprintf(to, "%jd", (intmax_t)v->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        fprintf(to, "%.9g", v->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        print_word(to, v->via.str.ptr, v->via.str.size);
        break;
    case MSGPACK_OBJECT_BIN:
        fprintf(to, "%u bytes", v->via.bin.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        print_array(to, v);
        break;
    case MSGPACK_OBJECT_MAP:
        print_map(to, v);
        break;
    default:
        fputs("nil", to);
        break;
    }
}
