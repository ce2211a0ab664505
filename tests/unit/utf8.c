/* Text from outside (utf8.h): what is UTF-8, and how it is shown. */
#include "common/run/utf8.h"
#include "common/run/json.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* Each number once, as RFC 3629 writes it. */
static size_t encode(char text[5], uint32_t number)
{
    size_t size = number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; number >>= 6)
        text[i] = (char)(0x80 | (number & 0x3f));
    text[0] = (char)(lead[size] | number);
    text[size] = '\0';
    return size;
}

/* Written out here, and not as utf8.c has it. */
static bool expected_shown(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    bool end = c == 0x2028 || c == 0x2029;
    bool direction = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069);
    bool nothing = c == 0x200b || (c >= 0x2060 && c <= 0x2065) || (c >= 0x206a && c <= 0x206f) ||
                   c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
    return !control && !end && !direction && !nothing;
}

/* What a function prints, as memory that is the caller's. */
static char *printed(void (*print)(FILE *, const void *, size_t), const char *text, size_t length)
{
    char *said = NULL;
    size_t size;
    FILE *to = open_memstream(&said, &size);
    print(to, text, length);
    fclose(to);
    assert_int_equal(strlen(said), size);
    return said;
}

static void assert_printed(void (*print)(FILE *, const void *, size_t), const char *text,
                           size_t length, const char *expected)
{
    char *said = printed(print, text, length);
    assert_string_equal(said, expected);
    free(said);
}

static void every_character_is_shown_or_is_not(void **state)
{
    (void)state;
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        char one[5], text[8], expected[16], escaped[16];
        size_t size = encode(one, c);
        if (c >= 0xd800 && c <= 0xdfff) {
            assert_false(utf8_valid(one, size));
            continue;
        }
        bool shown = expected_shown(c);
        snprintf(text, sizeof text, "a%sb", one);
        snprintf(expected, sizeof expected, "a%sb", shown ? one : "?");
        snprintf(escaped, sizeof escaped, "a%sb", one);
        if (!shown)
            snprintf(escaped, sizeof escaped, "a\\u%04xb", c);
        assert_true(utf8_valid(text, size + 2));
        if (utf8_printable(text, size + 2) != shown)
            fail_msg("U+%04X is %sshown", c, shown ? "" : "not ");
        if (c % 97 == 0 || !shown) {
            assert_printed(utf8_print, text, size + 2, expected);
            assert_printed(utf8_print_escaped, text, size + 2, escaped);
        }
        utf8_show(text);
        assert_string_equal(text, expected);
    }
}

static void a_byte_that_is_no_character_is_a_question_mark(void **state)
{
    (void)state;
    static const char *const broken[][2] = {
        {"a\xff", "a?"},
        {"\x80z", "?z"},
        {"\xc0\xaf", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xe2\x80", "??"},
        {"\xe2\x80\xaezz", "?zz"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf0\x9f\x98", "???"},
        {"\xc3(", "?("},
        {"\xc2\x9b\x9b", "??"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char text[16];
        strcpy(text, broken[i][0]);
        assert_false(utf8_printable(text, strlen(text)));
        assert_printed(utf8_print, text, strlen(text), broken[i][1]);
        utf8_show(text);
        assert_string_equal(text, broken[i][1]);
    }
    assert_printed(utf8_print, "a\0b", 3, "a?b");
    assert_printed(utf8_print_escaped, "a\0b\xff", 4, "a\\u0000b?");
    assert_printed(utf8_print, "", 0, "");
}

/* Data keep what is not shown. */
static void cleaning_leaves_characters_alone(void **state)
{
    (void)state;
    char text[] = "\x1b\xc2\x9b\xe2\x80\xae\0\xff.";
    utf8_clean(text, sizeof text - 1);
    assert_memory_equal(text, "\x1b\xc2\x9b\xe2\x80\xae??.", sizeof text);
}

static void json_reads_back_what_was_printed(void **state)
{
    (void)state;
    static const char text[] = "\x1b\x7f\xc2\x9b\xe2\x80\xae\xef\xbb\xbf\t\"\\ \xe4\xb8\xad\0!";
    char *said = NULL;
    size_t size;
    FILE *to = open_memstream(&said, &size);
    json_t *value = json_stringn(text, sizeof text - 1);
    assert_true(json_print(value, to, JSON_ENCODE_ANY));
    fclose(to);
    assert_true(utf8_printable(said, size));
    assert_non_null(strstr(said, "\xe4\xb8\xad"));
    json_t *read = json_loadb(said, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_true(json_equal(read, value));
    json_decref(read);
    json_decref(value);
    free(said);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_shown_or_is_not),
        cmocka_unit_test(a_byte_that_is_no_character_is_a_question_mark),
        cmocka_unit_test(cleaning_leaves_characters_alone),
        cmocka_unit_test(json_reads_back_what_was_printed),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
