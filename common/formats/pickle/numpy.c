/* The few allowed globals, and the arrays and numbers that they make when a pickle calls them. */
#include "common/formats/pickle/machine.h"

#include <string.h>

static const struct {
    const char *module, *name;
    enum pickle_global global;
} globals[] = {
    {"numpy.core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT},
    {"numpy.core.multiarray", "scalar", GLOBAL_SCALAR},
    {"numpy._core.multiarray", "scalar", GLOBAL_SCALAR},
    {"numpy", "ndarray", GLOBAL_NDARRAY},
    {"numpy", "dtype", GLOBAL_DTYPE},
    {"numpy.core.numeric", "_frombuffer", GLOBAL_FROMBUFFER},
    {"numpy._core.numeric", "_frombuffer", GLOBAL_FROMBUFFER},
    {"_codecs", "encode", GLOBAL_ENCODE},
    {"collections", "OrderedDict", GLOBAL_ORDERED_DICT},
    {"collections", "defaultdict", GLOBAL_DEFAULT_DICT},
    {"builtins", "list", GLOBAL_TYPE},
    {"builtins", "dict", GLOBAL_TYPE},
    {"__builtin__", "list", GLOBAL_TYPE},
    {"__builtin__", "dict", GLOBAL_TYPE},
};

static bool equal(const uint8_t *bytes, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

struct pickle_value *pickle_find_global(struct pickle_machine *m, const uint8_t *module,
                                        size_t module_length, const uint8_t *name,
                                        size_t name_length)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (equal(module, module_length, globals[i].module) &&
            equal(name, name_length, globals[i].name)) {
            struct pickle_other *other = pickle_new_other(m, OTHER_GLOBAL);
            other->global = globals[i].global;
            return &other->value;
        }
    char module_text[64], name_text[64];
    pickle_fail(m,
                "global '%s.%s' but expected one of NumPy's _reconstruct, scalar, ndarray, dtype, "
                "_frombuffer, _codecs.encode, or a dict of collections",
                pickle_printable(module_text, module, module_length),
                pickle_printable(name_text, name, name_length));
}

/* ---- Arrays ---- */

static void set_shape(const struct pickle_machine *m, struct pickle_array *a,
                      const struct pickle_value *shape)
{
    if (shape->length > 8)
        pickle_fail(m, "array of %zu axes but expected at most 8", shape->length);
    a->rank = (int)shape->length;
    a->count = 1;
    for (size_t i = 0; i < shape->length; i++) {
        int64_t size = pickle_item(m, shape, i, PICKLE_INT, "shape of an array")->integer;
        if (size < 0 || __builtin_mul_overflow(a->count, (size_t)size, &a->count))
            pickle_fail(m, "size %lld of an array's axis %zu is impossible", (long long)size, i);
        a->shape[i] = (size_t)size;
    }
}

/* Strides for axes that vary in the order given, the slowest first. */
static void set_strides(struct pickle_array *a, const int *order)
{
    size_t stride = 1;
    for (int i = a->rank; i-- > 0;) {
        a->stride[order[i]] = stride;
        stride *= a->shape[order[i]];
    }
}

static void set_order(struct pickle_array *a, bool fortran)
{
    int order[8];
    for (int i = 0; i < a->rank; i++)
        order[i] = fortran ? a->rank - 1 - i : i;
    set_strides(a, order);
}

static void set_objects(struct pickle_machine *m, struct pickle_array *a,
                        const struct pickle_value *list)
{
    if (list->kind != PICKLE_LIST || list->length != a->count)
        pickle_fail(m, "array of %zu objects but found no list of as many", a->count);
    size_t kept = pickle_kept(list);
    if (kept < list->length && !m->passing)
        pickle_missed(m);
    a->objects = pickle_take(m, kept * sizeof *a->objects);
    for (size_t i = 0; i < kept; i++)
        a->objects[i] = *list->items[i];
}

/* Its bytes, of which there must be as many as the shape says; text has at least as many. */
static void set_data(struct pickle_machine *m, struct pickle_array *a,
                     const struct pickle_dtype *dtype, const struct pickle_value *data)
{
    const struct pickle_other *other = (const struct pickle_other *)data;
    size_t bytes;
    a->kind = dtype->kind;
    a->swapped = dtype->swapped;
    a->item = dtype->item;
    a->data = a->latin1 = NULL;
    a->latin1_index = NULL;
    a->latin1_indexed = 0;
    if (__builtin_mul_overflow(a->count, a->item, &bytes))
        pickle_fail(m, "array of %zu elements of %zu bytes", a->count, a->item);
    if (a->kind == 'O') {
        set_objects(m, a, data);
    } else if (data->kind == PICKLE_OTHER && other->what == OTHER_LATIN1) {
        a->latin1 = other->latin1.text;
        a->latin1_size = other->latin1.size;
        if (bytes > a->latin1_size || a->latin1_size / 2 > bytes)
            pickle_fail(m, "array of %zu bytes in a text of %zu", bytes, a->latin1_size);
    } else if (data->kind == PICKLE_BYTES) {
        a->data = data->bytes;
        if (bytes != data->length)
            pickle_fail(m, "array of %zu bytes but found %zu", bytes, data->length);
    } else {
        pickle_fail(m, "array without bytes");
    }
}

static struct pickle_array *new_array(struct pickle_machine *m, struct pickle_value **value)
{
    *value = pickle_new(m, PICKLE_ARRAY);
    (*value)->array = pickle_take(m, sizeof *(*value)->array);
    return (*value)->array;
}

/* _reconstruct(ndarray, (0,), b"b"): an empty one, which BUILD fills. */
static struct pickle_value *make_array(struct pickle_machine *m, const struct pickle_value *args)
{
    struct pickle_value *value;
    struct pickle_array *a = new_array(m, &value);
    if (pickle_item_other(m, args, 0, OTHER_GLOBAL, "_reconstruct")->global != GLOBAL_NDARRAY)
        pickle_fail(m, "_reconstruct makes no ndarray");
    a->kind = 'b';
    a->item = a->rank = 1;
    a->stride[0] = 1;
    return value;
}

/* Its state: (version, shape, dtype, Fortran order?, bytes or objects). */
static void build_array(struct pickle_machine *m, struct pickle_array *a,
                        const struct pickle_value *state)
{
    const char *what = "state of an array";
    if (pickle_item(m, state, 0, PICKLE_INT, what)->integer != 1 || state->length != 5)
        pickle_fail(m, "state of an array but expected version 1 and five values");
    set_shape(m, a, pickle_item(m, state, 1, PICKLE_LIST, what));
    set_order(a, pickle_item(m, state, 3, PICKLE_BOOL, what)->integer != 0);
    set_data(m, a, &pickle_item_other(m, state, 2, OTHER_DTYPE, what)->dtype, state->items[4]);
}

/* Axes in any order: `shape` is that of the bytes, and axis i of the array is axis
 * axes[i] of it. */
static void permute(const struct pickle_machine *m, struct pickle_array *a,
                    const struct pickle_value *axes)
{
    struct pickle_array base = *a;
    unsigned seen = 0;
    set_order(&base, false);
    for (int i = 0; i < a->rank; i++) {
        uint64_t axis =
            (uint64_t)pickle_item(m, axes, (size_t)i, PICKLE_INT, "order of an array's axes")
                ->integer;
        if (axis >= (uint64_t)a->rank || seen & 1u << axis)
            pickle_fail(m, "order of an array's axes: value %d is no axis, or one twice", i + 1);
        seen |= 1u << axis;
        a->shape[i] = base.shape[axis];
        a->stride[i] = base.stride[axis];
    }
}

/* _frombuffer(bytes, dtype, shape, "C" | "F") or (…, "K", axes) */
static struct pickle_value *make_from_buffer(struct pickle_machine *m,
                                             const struct pickle_value *args)
{
    const char *what = "_frombuffer";
    const struct pickle_other *dtype = pickle_item_other(m, args, 1, OTHER_DTYPE, what);
    const struct pickle_value *order = pickle_item(m, args, 3, PICKLE_TEXT, what);
    struct pickle_value *value;
    struct pickle_array *a = new_array(m, &value);
    set_shape(m, a, pickle_item(m, args, 2, PICKLE_LIST, what));
    if (pickle_is_word(order, "K") && args->length > 4)
        permute(m, a, pickle_item(m, args, 4, PICKLE_LIST, what));
    else if (pickle_is_word(order, "C") || pickle_is_word(order, "F"))
        set_order(a, pickle_is_word(order, "F"));
    else
        pickle_fail(m, "_frombuffer: its order is neither C nor F");
    set_data(m, a, &dtype->dtype, args->items[0]);
    return value;
}

/* scalar(dtype, bytes) */
static struct pickle_value *make_scalar(struct pickle_machine *m, const struct pickle_value *args)
{
    struct pickle_array a = {.count = 1};
    const struct pickle_dtype *dtype = &pickle_item_other(m, args, 0, OTHER_DTYPE, "scalar")->dtype;
    if (pickle_kept(args) != 2)
        pickle_fail(m, "scalar with %zu values but expected 2", args->length);
    if (dtype->kind == 'O')
        return args->items[1];
    set_data(m, &a, dtype, args->items[1]);
    return pickle_scalar(m, &a);
}

/* encode(text, "latin1"): how protocol 2 writes bytes. */
static struct pickle_value *make_bytes(struct pickle_machine *m, const struct pickle_value *args)
{
    const struct pickle_value *text = pickle_item(m, args, 0, PICKLE_TEXT, "encode");
    if (!pickle_is_word(pickle_item(m, args, 1, PICKLE_TEXT, "encode"), "latin1"))
        pickle_fail(m, "encode to anything but latin1");
    struct pickle_other *other = pickle_new_other(m, OTHER_LATIN1);
    other->latin1.text = text->bytes;
    other->latin1.size = text->length;
    return &other->value;
}

/* OrderedDict(), which is filled like any other, or OrderedDict([[key, value], …]), of Python 2. */
static struct pickle_value *make_ordered(struct pickle_machine *m, const struct pickle_value *args)
{
    struct pickle_value *dict = pickle_collect(m, PICKLE_DICT, NULL, 0);
    if (args->kind != PICKLE_LIST)
        pickle_fail(m, "OrderedDict without arguments");
    if (!args->length)
        return dict;
    if (m->passing) { /* what there is of it is known when all has been read */
        m->missed = true;
        return dict;
    }
    const struct pickle_value *pairs = pickle_item(m, args, 0, PICKLE_LIST, "OrderedDict");
    if (pickle_kept(pairs) < pairs->length)
        pickle_missed(m);
    for (size_t i = 0; i < pairs->length; i++) {
        const struct pickle_value *pair = pickle_item(m, pairs, i, PICKLE_LIST, "OrderedDict");
        if (pickle_kept(pair) != 2)
            pickle_fail(m, "OrderedDict: value %zu is no pair", i + 1);
        pickle_append(m, dict, pair->items, 2);
    }
    return dict;
}

struct pickle_value *pickle_call(struct pickle_machine *m, struct pickle_value *global,
                                 const struct pickle_value *args)
{
    const struct pickle_other *other = (const struct pickle_other *)global;
    if (global->kind == PICKLE_OTHER && other->what == OTHER_GLOBAL)
        switch (other->global) {
        case GLOBAL_RECONSTRUCT:
            return make_array(m, args);
        case GLOBAL_SCALAR:
            return make_scalar(m, args);
        case GLOBAL_DTYPE:
            return pickle_make_dtype(m, args);
        case GLOBAL_FROMBUFFER:
            return make_from_buffer(m, args);
        case GLOBAL_ENCODE:
            return make_bytes(m, args);
        case GLOBAL_ORDERED_DICT:
            return make_ordered(m, args);
        case GLOBAL_DEFAULT_DICT: /* what it makes of keys that are not there does not matter */
            return pickle_collect(m, PICKLE_DICT, NULL, 0);
        case GLOBAL_NDARRAY:
        case GLOBAL_TYPE:
            break;
        }
    pickle_fail(m, "what is called cannot be called");
}

void pickle_build(struct pickle_machine *m, struct pickle_value *value,
                  const struct pickle_value *state)
{
    struct pickle_other *other = (struct pickle_other *)value;
    if (value->kind == PICKLE_ARRAY)
        build_array(m, value->array, state);
    else if (value->kind == PICKLE_OTHER && other->what == OTHER_DTYPE)
        pickle_build_dtype(m, &other->dtype, state);
    else
        pickle_fail(m, "what is built is neither an array nor a dtype");
}
