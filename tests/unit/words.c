/* What the texts of options are made of (option.h): pairs, words. */
#include "common/run/option.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void join_pair(struct msa *m, void *closure, const char *key, const char *value)
{
    (void)m;
    strcat(strcat(strcat(strcat(closure, key), ":"), value), ";");
}

static void read_pairs(struct msa *m)
{
    char joined[64] = "";
    option_pairs(m, "layers", "text=1,vision=a=b", joined, join_pair);
    assert_string_equal(joined, "text:1;vision:a=b;");
    option_pairs(m, "layers", m->operands[0], joined, join_pair);
}

static void pairs_and_words(void **state)
{
    (void)state;
    static char *const wrong[] = {"", "text", "=1", "text=", "text=1,", "text=1,,audio=2"};
    static const char *const named[] = {"", "text", "=1", "text=", "", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct msa m = {.program = "msa-test", .operands = (char **)&wrong[i]};
        char line[100];
        snprintf(line, sizeof line, "--layers: '%s' is not KEY=VALUE", named[i]);
        assert_int_equal(msa_run(&m, read_pairs), MSA_USAGE);
        assert_string_equal(m.error, line);
    }
    assert_true(option_names("text,vision", "text"));
    assert_true(option_names("text,vision", "vision"));
    assert_false(option_names("text,vision", "vis"));
    assert_false(option_names("text,vision", "text,vision"));
    assert_false(option_names("text,vision", "audio"));
    assert_false(option_names("text", ""));
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_and_words),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
