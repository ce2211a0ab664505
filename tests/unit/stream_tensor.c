/* Tensors: elements, their place in a body, and what is refused (tensor.h, tensor_codec.h). */
#include "common/stream/tensor_codec.h"
#include "tests/unit/stream.h"
#include <msgpack/unpack.h>

static const struct msa_common plain;

static void elements(void **state)
{
    (void)state;
    const struct {
        enum dtype dtype;
        uint64_t bits;
        double expected;
    } cases[] = {{F4, 0xbfc00000, -1.5},
                 {F8, 0x4004000000000000, 2.5},
                 {F2, 0xc100, -2.5},
                 {F2, 1, 0x1p-24},
                 {I8, UINT64_MAX, -1},
                 {I4, 0xfffffffe, -2},
                 {I2, 0xfffd, -3},
                 {I1, 0xfc, -4},
                 {U8, 1ull << 63, 0x1p63},
                 {U4, 0xfffffffe, 0xfffffffe},
                 {U2, 0xffff, 65535},
                 {U1, 200, 200},
                 {B1, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t unaligned[24] = {0};
        memcpy(unaligned + 1 + dtype_size(cases[i].dtype), &cases[i].bits, 8);
        size_t two = 2;
        struct tensor t = tensor_of("t", cases[i].dtype, unaligned + 1, 1, &two);
        assert_true(tensor_value(&t, 0) == 0 && tensor_value(&t, 1) == cases[i].expected);
        assert_int_equal(dtype_find(dtype_names[i < 2 ? i : 2], 3), i < 2 ? i : 2);
    }
    assert_int_equal(dtype_find("<f4", 2), -1);
    assert_int_equal(dtype_find("=f4", 3), -1);
    char text[128];
    assert_string_equal(tensor_shape_text(text, 3, (size_t[]){32, 50, 5}), "[32,50,5]");
    assert_string_equal(tensor_shape_text(text, 0, NULL), "[]");
}

static const size_t sizes[] = {0, 1, 3, 63, 64, 65, 250, 255, 256, 257, 1000, 65535, 65536, 70001};
enum { SIZES = sizeof sizes / sizeof *sizes };
static uint8_t payload[70001];

static void write_tensors(struct msa *m, struct writer *w)
{
    struct record r;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    header_write(header_new(m), w);
    for (int i = 0; i < SIZES; i++) {
        record_new(m, &r);
        record_put(m, &r, tensor_of("abc", U1, payload, 2, (size_t[]){1, sizes[i]}));
        record_put(m, &r, tensor_of("b", F8, payload, 3, (size_t[]){1, 4, sizes[i] / 32}));
        struct tensor state = tensor_of("state", I2, payload, 1, (size_t[]){sizes[i] / 2});
        value_set(m, r.zone, &r.map, "state", value_of_tensor(m, r.zone, &state));
        record_write(&r, w, FRAME_DATA);
        record_free(&r);
    }
    writer_end(w);
}

static void check_tensor(const struct record *r, const struct tensor *t, const char *dtype,
                         size_t bytes)
{
    const uint8_t *data = t->data;
    assert_string_equal(dtype_names[t->dtype], dtype);
    assert_int_equal(t->count * dtype_size(t->dtype), bytes);
    if (bytes == 0)
        return;
    assert_int_equal((data - r->frame.body) % 64, 0);
    assert_int_equal((uintptr_t)data % 64, 0);
    assert_memory_equal(data, payload, bytes);
}

static void read_tensors(struct msa *m, struct reader *reader)
{
    struct frame f;
    struct record r;
    reader_next(reader, &f);
    frame_free(&f);
    for (int i = 0; i < SIZES; i++) {
        reader_next(reader, &f);
        record_parse(m, &r, &f);
        assert_int_equal(r.count, 2);
        check_tensor(&r, record_find(&r, "abc"), "|u1", sizes[i]);
        check_tensor(&r, record_find(&r, "b"), "<f8", sizes[i] / 32 * 32);
        struct tensor t;
        char text[256];
        assert_null(value_tensor(value_get(&r.map, "state"), "state", 5, &t, text));
        check_tensor(&r, &t, "<i2", sizes[i] / 2 * 2);
        record_free(&r);
    }
    read_all(m, reader);
}

static void tensors_are_aligned(void **state)
{
    (void)state;
    struct bytes b = written(plain, write_tensors);
    struct msa m = reading(plain, b.data, b.size, read_tensors);
    assert_int_equal(m.status, MSA_OK);
    free(b.data);
}

/* What is wrong with a tensor that is given as the bytes of its five values. */
static void check_codec(const char *nd, const char *type, const char *kind, const char *shape,
                        size_t shape_size, const char *data, const char *expected)
{
    char body[600];
    size_t size = 0;
    const struct {
        const char *key, *bytes;
        size_t size;
    } parts[] = {{"\xc4\x02nd", nd, 1},
                 {"\xc4\x04type", type, strlen(type)},
                 {"\xc4\x04kind", kind, 2 + (size_t)kind[1]},
                 {"\xc4\x05shape", shape, shape_size},
                 {"\xc4\x04"
                  "data",
                  data, 2 + (size_t)data[1]}};
    body[size++] = (char)0x85;
    for (int i = 0; i < 5; i++) {
        memcpy(body + size, parts[i].key, strlen(parts[i].key));
        size += strlen(parts[i].key);
        memcpy(body + size, parts[i].bytes, parts[i].size);
        size += parts[i].size;
    }
    msgpack_unpacked u;
    size_t at = 0;
    msgpack_unpacked_init(&u);
    assert_int_equal(msgpack_unpack_next(&u, body, size, &at), MSGPACK_UNPACK_SUCCESS);
    struct tensor t;
    char text[256];
    const char *wrong = value_tensor(&u.data, "t", 1, &t, text);
    if (!expected)
        assert_null(wrong);
    else if (!wrong || !strstr(wrong, expected))
        fail_msg("'%s' but expected '%s'", wrong ? wrong : "nothing", expected);
    msgpack_unpacked_destroy(&u);
}

#define CODEC(nd, type, kind, shape, data, expected)                                               \
    check_codec(nd, type, kind, shape, sizeof shape - 1, data, expected)

static void wrong_tensors(void **state)
{
    (void)state;
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x91\x02",
          "\xc4\x04"
          "abcd",
          NULL);
    CODEC("\xc3", "\xc4\x03<i2", "\xc4\0", "\x91\xcd\0\x02",
          "\xc4\x04"
          "abcd",
          NULL);
    CODEC("\xc2", "\xa3<i2", "\xc4\0", "\x91\x02",
          "\xc4\x04"
          "abcd",
          "'nd' is not true");
    CODEC("\xc3", "\xa3<c8", "\xc4\0", "\x91\x02",
          "\xc4\x04"
          "abcd",
          "dtype '<c8' but expected one of <f4 <f8");
    CODEC("\xc3", "\xa3>i2", "\xc4\0", "\x91\x02",
          "\xc4\x04"
          "abcd",
          "dtype '>i2'");
    CODEC("\xc3", "\xa2|O", "\xc4\x01O", "\x91\x02",
          "\xc4\x04"
          "abcd",
          "Python objects");
    CODEC("\xc3", "\x90", "\xc4\x01V", "\x91\x02",
          "\xc4\x04"
          "abcd",
          "structured");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x91\x03",
          "\xc4\x04"
          "abcd",
          "4 bytes but shape [3] of <i2 is 6");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x91\xff",
          "\xc4\x04"
          "abcd",
          "no whole number");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x02",
          "\xc4\x04"
          "abcd",
          "'shape' is not an array");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x90",
          "\xd9\x02"
          "ab",
          "'data' is not a bin");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x99\1\1\1\1\1\1\1\1\1",
          "\xc4\x02"
          "ab",
          "rank 9 but at most 8");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x92\xce\x80\0\0\0\xce\x80\0\0\0", "\xc4\0",
          "more elements");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x93\0\xce\x80\0\0\0\xce\x80\0\0\0", "\xc4\0",
          "more elements");
    CODEC("\xc3", "\xa3<i2", "\xc4\0", "\x92\0\x05", "\xc4\0", NULL);
    struct tensor t;
    char text[256];
    value number = value_of_int(1), map = value_map();
    assert_non_null(strstr(value_tensor(&number, "t", 1, &t, text), "not a tensor"));
    assert_non_null(strstr(value_tensor(&map, "t", 1, &t, text), "is missing"));
    assert_non_null(strstr(value_tensor(&map, "", 0, &t, text), "a name of 0 bytes"));
    assert_non_null(strstr(value_tensor(&map, "", 65, &t, text), "a name of 65 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements),
        cmocka_unit_test(tensors_are_aligned),
        cmocka_unit_test(wrong_tensors),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
