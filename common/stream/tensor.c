/* What a tensor is: its dtype, its shape, and one element of it. */
#include "common/stream/tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian in memory too");

const char *const dtype_names[DTYPES] = {"<f4", "<f8", "<f2", "<i8", "<i4", "<i2",
                                         "|i1", "<u8", "<u4", "<u2", "|u1", "|b1"};

size_t dtype_size(enum dtype dtype)
{
    return (size_t)(dtype_names[dtype][2] - '0');
}

int dtype_find(const char *name, size_t length)
{
    for (int i = 0; i < DTYPES; i++)
        if (length == 3 && memcmp(name, dtype_names[i], 3) == 0)
            return i;
    return -1;
}

struct tensor tensor_of(const char *name, enum dtype dtype, const void *data, int rank,
                        const size_t *shape)
{
    assert(strlen(name) <= TENSOR_NAME && rank >= 0 && rank <= TENSOR_RANK);
    struct tensor t = {.dtype = dtype, .rank = rank, .count = 1, .data = data};
    strcpy(t.name, name);
    for (int i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
        t.count *= shape[i];
    }
    return t;
}

bool tensor_same_shape(int rank, const size_t *shape, int other_rank, const size_t *other)
{
    return rank == other_rank && memcmp(shape, other, (size_t)rank * sizeof *shape) == 0;
}

const char *tensor_shape_text(char text[128], int rank, const size_t *shape)
{
    size_t at = 0;
    text[at++] = '[';
    for (int i = 0; i < rank && at < 100; i++)
        at += (size_t)snprintf(text + at, 128 - at, "%s%zu", i ? "," : "", shape[i]);
    strcpy(text + at, "]");
    return text;
}

const char *tensor_place_text(char text[128], const struct tensor *t, size_t i)
{
    size_t place[TENSOR_RANK];
    for (int k = t->rank - 1; k >= 0; i /= t->shape[k--])
        place[k] = i % t->shape[k];
    return tensor_shape_text(text, t->rank, place);
}

double tensor_value(const struct tensor *t, size_t i)
{
    union {
        float f4;
        double f8;
        _Float16 f2;
        int64_t i8;
        int32_t i4;
        int16_t i2;
        int8_t i1;
        uint64_t u8;
        uint32_t u4;
        uint16_t u2;
        uint8_t u1;
    } v;
    size_t size = dtype_size(t->dtype);
    memcpy(&v, (const uint8_t *)t->data + i * size, size);
    switch (t->dtype) {
    case F4:
        return (double)v.f4;
    case F8:
        return v.f8;
    case F2:
        return (double)v.f2;
    case I8:
        return (double)v.i8;
    case I4:
        return v.i4;
    case I2:
        return v.i2;
    case I1:
        return v.i1;
    case U8:
        return (double)v.u8;
    case U4:
        return v.u4;
    case U2:
        return v.u2;
    case U1:
        return v.u1;
    default:
        return v.u1 != 0;
    }
}

/* 64 bits are more than a double holds. */
bool tensor_whole(const struct tensor *t, size_t i, int64_t *whole)
{
    if (t->dtype != I8 && t->dtype != U8) {
        *whole = (int64_t)tensor_value(t, i);
        return true;
    }
    memcpy(whole, (const uint8_t *)t->data + i * sizeof *whole, sizeof *whole);
    return t->dtype == I8 || *whole >= 0;
}

const char *tensor_number_text(char text[TENSOR_NUMBER], const struct tensor *t, size_t i)
{
    int64_t whole;
    if (t->dtype == F4 || t->dtype == F8 || t->dtype == F2)
        snprintf(text, TENSOR_NUMBER, "%.*g", t->dtype == F8 ? 17 : 9, tensor_value(t, i));
    else if (tensor_whole(t, i, &whole))
        snprintf(text, TENSOR_NUMBER, "%" PRId64, whole);
    else
        snprintf(text, TENSOR_NUMBER, "%" PRIu64, (uint64_t)whole);
    return text;
}
