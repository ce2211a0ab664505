/* Numbers of arrays, in C order whatever the order in the file. */
#include "common/formats/pickle/machine.h"

#include <string.h>

enum { BLOCK = 4096 }; /* bytes that are decoded at a time where they are text */

static inline void load(void *to, const uint8_t *from, size_t size, bool swapped)
{
    if (swapped)
        for (size_t i = 0; i < size; i++)
            ((uint8_t *)to)[i] = from[size - 1 - i];
    else
        memcpy(to, from, size);
}

/* out[n] from elements that are `step` bytes apart. */
typedef void convert_fn(void *out, const uint8_t *from, size_t n, size_t step, bool swapped);

#define CONVERT(name, to, type)                                                                    \
    static void name(void *out, const uint8_t *from, size_t n, size_t step, bool swapped)          \
    {                                                                                              \
        type value;                                                                                \
        to *numbers = out;                                                                         \
        for (size_t i = 0; i < n; i++) {                                                           \
            load(&value, from + i * step, sizeof value, swapped);                                  \
            numbers[i] = (to)value;                                                                \
        }                                                                                          \
    }

#define CONVERT_INTEGERS(to)                                                                       \
    CONVERT(to##_from_i1, to, int8_t)                                                              \
    CONVERT(to##_from_i2, to, int16_t)                                                             \
    CONVERT(to##_from_i4, to, int32_t)                                                             \
    CONVERT(to##_from_i8, to, int64_t)                                                             \
    CONVERT(to##_from_u1, to, uint8_t)                                                             \
    CONVERT(to##_from_u2, to, uint16_t)                                                            \
    CONVERT(to##_from_u4, to, uint32_t)                                                            \
    CONVERT(to##_from_u8, to, uint64_t)

CONVERT_INTEGERS(float)
CONVERT(float_from_f2, float, _Float16)
CONVERT(float_from_f4, float, float)
CONVERT(float_from_f8, float, double)
CONVERT_INTEGERS(int64_t)
CONVERT(double_from_f2, double, _Float16)
CONVERT(double_from_f4, double, float)
CONVERT(double_from_f8, double, double)

/* By the kind of number and the logarithm of its size. */
static convert_fn *const to_float[][4] = {
    {float_from_i1, float_from_i2, float_from_i4, float_from_i8},
    {float_from_u1, float_from_u2, float_from_u4, float_from_u8},
    {NULL, float_from_f2, float_from_f4, float_from_f8},
};
static convert_fn *const to_integer[][4] = {
    {int64_t_from_i1, int64_t_from_i2, int64_t_from_i4, int64_t_from_i8},
    {int64_t_from_u1, int64_t_from_u2, int64_t_from_u4, int64_t_from_u8},
    {NULL},
};
static convert_fn *const to_double[][4] = {
    {NULL}, {NULL}, {NULL, double_from_f2, double_from_f4, double_from_f8}};

static convert_fn *find_convert(struct pickle *p, convert_fn *const table[][4],
                                const struct pickle_array *a, const char *expected)
{
    int row = a->kind == 'i' ? 0 : a->kind == 'u' || a->kind == 'b' ? 1 : 2;
    convert_fn *convert = strchr("iubf", a->kind) ? table[row][__builtin_ctzl(a->item)] : NULL;
    if (!convert)
        msa_fail(p->m, MSA_CORRUPT, "%s: array of dtype %c%zu but expected %s", p->path, a->kind,
                 a->item, expected);
    return convert;
}

static bool in_c_order(const struct pickle_array *a)
{
    size_t stride = 1;
    for (int axis = a->rank; axis-- > 0; stride *= a->shape[axis])
        if (a->stride[axis] != stride && a->shape[axis] != 1)
            return false;
    return true;
}

size_t pickle_locate(const struct pickle_array *a, size_t i, size_t *run, size_t *step)
{
    size_t at = 0;
    *run = a->count - i;
    *step = 1;
    if (in_c_order(a))
        return i;
    *run = a->shape[a->rank - 1] - i % a->shape[a->rank - 1];
    *step = a->stride[a->rank - 1];
    for (int axis = a->rank; axis-- > 0; i /= a->shape[axis])
        at += i % a->shape[axis] * a->stride[axis];
    return at;
}

void pickle_check_range(struct pickle *p, const struct pickle_array *a, size_t first, size_t count)
{
    if (first > a->count || count > a->count - first)
        msa_fail(p->m, MSA_CORRUPT, "%s: elements %zu to %zu of an array of %zu", p->path, first,
                 first + count, a->count);
}

static void convert_all(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                        convert_fn *convert, uint8_t *out, size_t size)
{
    pickle_check_range(p, a, first, count);
    while (count > 0) {
        uint8_t buffer[BLOCK];
        size_t n, step, at = pickle_locate(a, first, &n, &step);
        n = n < count ? n : count;
        if (a->latin1)
            n = step > 1 ? 1 : n < BLOCK / a->item ? n : BLOCK / a->item;
        const uint8_t *from =
            pickle_bytes(p, a, at * a->item, ((n - 1) * step + 1) * a->item, buffer);
        convert(out, from, n, step * a->item, a->swapped);
        out += n * size;
        first += n;
        count -= n;
    }
}

void pickle_numbers(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                    float *out)
{
    convert_all(p, a, first, count, find_convert(p, to_float, a, "numbers"), (uint8_t *)out,
                sizeof *out);
}

void pickle_integers(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                     int64_t *out)
{
    convert_all(p, a, first, count, find_convert(p, to_integer, a, "integers"), (uint8_t *)out,
                sizeof *out);
}

void pickle_doubles(struct pickle *p, const struct pickle_array *a, size_t first, size_t count,
                    double *out)
{
    convert_all(p, a, first, count, find_convert(p, to_double, a, "reals"), (uint8_t *)out,
                sizeof *out);
}

struct pickle_value *pickle_scalar(struct pickle_machine *m, const struct pickle_array *a)
{
    struct pickle *p = &m->pickle;
    struct pickle_value *value;
    uint8_t bytes[8];
    if (a->kind == 'U' || a->kind == 'S')
        return pickle_scalar_text(m, a);
    value = pickle_new(m, a->kind == 'f' ? PICKLE_REAL : a->kind == 'b' ? PICKLE_BOOL : PICKLE_INT);
    if (a->kind == 'f')
        find_convert(p, to_double, a, "numbers")(
            &value->real, pickle_bytes(p, a, 0, a->item, bytes), 1, 0, a->swapped);
    else
        pickle_integers(p, a, 0, 1, &value->integer);
    value->above = a->kind == 'u' && value->integer < 0;
    return value;
}
