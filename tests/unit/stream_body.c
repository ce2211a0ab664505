/* Bodies: the walk that bounds them, and values (body_validate.h, body.h, value.h). */
#include "common/stream/body_validate.h"
#include "tests/unit/stream.h"
#include <msgpack/unpack.h>

static const struct msa_common plain;

/* ---- The walk ---- */

static void check_walk(const char *bytes, size_t size, const char *expected)
{
    char text[256];
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too many */
    memcpy(exact, bytes, size);
    const char *wrong = body_walk(exact, size, text);
    if (!expected && wrong)
        fail_msg("%s", wrong);
    if (expected && (!wrong || !strstr(wrong, expected)))
        fail_msg("'%s' but expected '%s'", wrong ? wrong : "nothing", expected);
    free(exact);
}

#define WALK(bytes, expected) check_walk(bytes, sizeof bytes - 1, expected)

static void walks(void **state)
{
    (void)state;
    WALK("\x80", NULL);
    WALK("", "ends inside");
    WALK("\x90", "not a map");
    WALK("\x80\x80", "1 bytes behind");
    WALK("\x81\xa1"
         "a",
         "ends inside");
    WALK("\x81\xa1"
         "a\xcd\x01",
         "ends inside");
    WALK("\x82\xa1"
         "a\x01\xa1"
         "b\xc0",
         NULL);
    WALK("\x82\xa1"
         "a\x01\xa1"
         "a\x01",
         "key 'a' twice");
    WALK("\x82\xa1"
         "a\x01\xd9\x01"
         "a\x01",
         "key 'a' twice");
    WALK("\x81\x01\x01", "a key that is not a str");
    WALK("\x81\xc4\x01"
         "a\x01",
         "a key that is not a str");
    WALK("\x81\xa1"
         "m\x81\xc4\x01"
         "a\x01",
         NULL);
    WALK("\x81\xa1"
         "m\x82\xc4\x01"
         "a\x01\xa1"
         "a\x01",
         "key 'a' twice");
    WALK("\x81\xa0\x01", "a key of 0 bytes");
    WALK("\x81\xa1\n\x01", "not printable");
    WALK("\x81\xa1\xff\x01", "not UTF-8");
    WALK("\x81\xa1"
         "a\xa2\xc3\x28",
         "not UTF-8");
    WALK("\x81\xa1"
         "a\xa2\xc3\xa4",
         NULL);
    WALK("\x81\xa1"
         "a\xc1",
         "byte c1");
    WALK("\x81\xa1"
         "a\xd4\x01\x01",
         "an extension type");
    WALK("\x81\xa1"
         "a\xc7\x01\x01\x01",
         "an extension type");
    WALK("\x81\xa1"
         "a\xc6\xff\xff\xff\xff",
         "a bin of 4294967295 bytes, but 0 are left");
    WALK("\x81\xa1"
         "a\xdd\xff\xff\xff\xff",
         "ends inside");
    WALK("\x81\xa1"
         "a\xdf\xff\xff\xff\xff",
         "a map of 4294967295 pairs");
    WALK("\x81\xa1"
         "a\xde\x01\x01",
         "a map of 257 pairs but at most 256");
    WALK("\x81\xa1"
         "a\x91\x91\x91\x91\x91\x91\x91\x01",
         NULL);
    WALK("\x81\xa1"
         "a\x91\x91\x91\x91\x91\x91\x91\x91\x01",
         "nested deeper than 8");
}

/* Overlong, a surrogate, too large, cut; and what is right beside each. */
static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool right;
    } cases[] = {
        {"\xc0\x80", false},         {"\xc2\x80", true},         {"\xe0\x9f\xbf", false},
        {"\xe0\xa0\x80", true},      {"\xed\xa0\x80", false},    {"\xed\x9f\xbf", true},
        {"\xf0\x8f\xbf\xbf", false}, {"\xf0\x90\x80\x80", true}, {"\xf4\x90\x80\x80", false},
        {"\xf4\x8f\xbf\xbf", true},  {"\xe2\x82", false},        {"\xe2\x82\xac", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[16];
        int size = snprintf(body, sizeof body, "\x81\xa1k%c%s",
                            (char)(0xa0 + strlen(cases[i].text)), cases[i].text);
        check_walk(body, (size_t)size, cases[i].right ? NULL : "not UTF-8");
    }
}

static void walks_long(void **state)
{
    (void)state;
    char key[140] = "\x81\xd9\x80";
    memset(key + 3, 'k', 128);
    check_walk(key, 132, NULL);
    key[2] = (char)0x81;
    key[131] = 'k';
    check_walk(key, 133, "a key of 129 bytes but expected 1 to 128");
    size_t items = BODY_OBJECTS - 3;
    char *nils = malloc(items + 9);
    memcpy(nils,
           "\x81\xa1"
           "a\xdd",
           4);
    for (int i = 0; i < 4; i++)
        nils[4 + i] = (char)(items >> (24 - 8 * i));
    memset(nils + 8, 0xc0, items + 1);
    check_walk(nils, items + 8, NULL);
    nils[7]++;
    check_walk(nils, items + 9, "more than 1048576 values");
    free(nils);
}

/* Bodies cut at every byte, and with every byte replaced, are walked within their bounds; what
 * passes can be unpacked. */
static void walks_damaged(void **state)
{
    (void)state;
    static const char body[] = "\x84\xa1"
                               "a\x93\x01\xcd\x01\x02\xca\x01\x02\x03\x04\xa1"
                               "b\x81\xc4\x02nd\xc3"
                               "\xa1"
                               "c\xc4\x03xyz\xa1"
                               "d\xd9\x03uvw";
    for (size_t size = 0; size < sizeof body - 1; size++)
        check_walk(body, size, "");
    char copy[sizeof body];
    for (size_t i = 0; i < sizeof body - 1; i++)
        for (int byte = 0; byte < 256; byte++) {
            char text[256];
            memcpy(copy, body, sizeof body);
            copy[i] = (char)byte;
            if (body_walk((const uint8_t *)copy, sizeof body - 1, text))
                continue;
            msgpack_unpacked u;
            size_t at = 0;
            msgpack_unpacked_init(&u);
            assert_int_equal(msgpack_unpack_next(&u, copy, sizeof body - 1, &at),
                             MSGPACK_UNPACK_SUCCESS);
            assert_int_equal(at, sizeof body - 1);
            msgpack_unpacked_destroy(&u);
        }
}

/* ---- Values ---- */

static void use_values(struct msa *m)
{
    msgpack_zone *zone = value_zone(m);
    value map = value_map(), list = value_array();
    value_set(m, zone, &map, "int", value_of_int(-7));
    value_set(m, zone, &map, "real", value_of_real(2.5));
    value_set(m, zone, &map, "text",
              value_str(m, zone,
                        "a\xff"
                        "b"));
    value_push(m, zone, &list, value_of_bool(true));
    value_push(m, zone, &list, value_of_int(3));
    value before = map;
    value_set(m, zone, &map, "list", list);
    value_set(m, zone, &map, "int", value_of_int(8));
    assert_int_equal(value_int(&before, "int", 0), -7);
    assert_int_equal(value_int(&map, "int", 0), 8);
    assert_int_equal(map.via.map.size, 4);
    assert_true(value_real(&map, "int", 0) == 8 && value_real(&map, "real", 0) == 2.5);
    assert_int_equal(value_int(&map, "real", 4), 4);
    assert_int_equal(value_int(&map, "none", 5), 5);
    assert_string_equal(value_text(zone, &map, "text"), "a?b");
    assert_true(value_equals(value_get(&map, "text"), "a?b"));
    assert_false(value_equals(value_get(&map, "int"), "8"));
    assert_null(value_get(&list, "int"));
    assert_null(value_text(zone, &map, "int"));
    value copy = value_copy(m, zone, &map);
    value_remove(&map, "real");
    value_remove(&map, "none");
    assert_int_equal(map.via.map.size, 3);
    assert_non_null(value_get(&copy, "real"));
    assert_int_equal(value_get(&copy, "list")->via.array.ptr[1].via.u64, 3);
    assert_true(value_bool(&map, "int", true));
    msa_free(m, zone);
}

static void values(void **state)
{
    (void)state;
    struct streaming s = streaming(plain);
    assert_int_equal(msa_run(&s.m, use_values), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks),         cmocka_unit_test(texts),  cmocka_unit_test(walks_long),
        cmocka_unit_test(walks_damaged), cmocka_unit_test(values),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
