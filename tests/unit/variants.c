/* Options of variants, and values by key (option.h). */
#include "common/run/option.h"

#include <string.h>

#include <cmocka.h>

#define KEYS "text|vision|audio"
enum { COUNT = 3 };

struct settings {
    long hidden[COUNT];
    double dropout[COUNT];
    const struct variant *net[COUNT];
    struct option_list from[COUNT];
};
struct deep_settings {
    long heads;
};

#define FIELD(type, name) offsetof(struct type, name)
static const struct option own[] = {
    {0, "hidden", "N", OPTION_INT, FIELD(settings, hidden), NULL, 1, 100, .help = "width",
     .keys = KEYS},
    {0, "dropout", "P", OPTION_REAL, FIELD(settings, dropout), "0.5", 0, 0.9, .help = "dropout",
     .keys = KEYS},
    {0, "net", "KIND", OPTION_VARIANT, FIELD(settings, net), .help = "kind", .keys = KEYS},
    {0, "from", "NAME", OPTION_LIST, FIELD(settings, from), .help = "names", .keys = KEYS},
    {0}};
static const struct option of_deep[] = {
    {0, "heads", "N", OPTION_INT, FIELD(deep_settings, heads), "8", 1, 64, .help = "heads"}, {0}};
#undef FIELD

static const struct variant deep = {.name = "deep",
                                    .options = of_deep,
                                    .settings_size = sizeof(struct deep_settings),
                                    .takes = "dropout"},
                            dense = {.name = "dense", .takes = "hidden,dropout"},
                            bare = {.name = "bare"};
static const struct variant *const variants[] = {&deep, &dense, &bare, NULL};
static const struct program program = {.name = "msa-test",
                                       .operands = "",
                                       .settings_size = sizeof(struct settings),
                                       .options = own,
                                       .variants = variants,
                                       .chosen_by = "net"};
/* The same, of which an operand says which. */
static const struct program by_operand = {.name = "msa-test",
                                          .operands = "HOW [FILE]",
                                          .min_operands = 1,
                                          .max_operands = 2,
                                          .settings_size = sizeof(struct settings),
                                          .options = own,
                                          .variants = variants,
                                          .chosen_by = "how",
                                          .by_operand = true};

struct script {
    struct msa m;
    struct settings settings;
    char from[64]; /* what is in the list of each key */
    long heads;
    const struct variant *chosen[COUNT];
    uint32_t hidden, dropout, heads_given; /* for which keys they were given */
};

static void parse_body(struct msa *m)
{
    struct script *s = (struct script *)m;
    options_parse(m, &program);
    s->settings = *(const struct settings *)m->settings;
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k <= s->settings.from[i].count; k++)
            strcat(s->from, k < s->settings.from[i].count ? s->settings.from[i].values[k] : ";");
    s->heads = ((const struct deep_settings *)variant_settings(m, &deep))->heads;
    s->hidden = option_given(m, "hidden");
    s->dropout = option_given(m, "dropout");
    s->heads_given = option_given(m, "heads");
    for (int i = 0; i < COUNT; i++)
        if (!s->chosen[i])
            s->chosen[i] = s->settings.net[i];
    options_check_taken(m, s->chosen, COUNT);
}

static struct script parse(int argc, char **argv)
{
    struct script s = {.m = {.program = "msa-test", .argc = argc, .argv = argv}};
    msa_run(&s.m, parse_body);
    assert_null(s.m.blocks);
    return s;
}

#define ARGV(...)  ((char *[]){"msa-test", __VA_ARGS__, NULL})
#define PARSE(...) parse((int)(sizeof(ARGV(__VA_ARGS__)) / sizeof(char *)) - 1, ARGV(__VA_ARGS__))

static void refused(struct script s, const char *line)
{
    assert_string_equal(s.m.error, line);
    assert_int_equal(s.m.status, MSA_USAGE);
}

static void values_are_for_all_or_by_key(void **state)
{
    (void)state;
    struct script s = PARSE("--net=dense", "--hidden", "7", "--dropout", "audio=.25");
    assert_string_equal(s.m.error, "");
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(s.settings.hidden[i], 7);
        assert_ptr_equal(s.settings.net[i], &dense);
    }
    assert_true(s.settings.dropout[2] == .25);
    s = PARSE("--net", "dense", "--hidden", "audio=4,text=9");
    assert_int_equal(s.settings.hidden[0], 9);
    assert_int_equal(s.settings.hidden[1], 0);
    assert_int_equal(s.settings.hidden[2], 4);
    assert_int_equal(s.heads, 8);
}

/* What is not named keeps its initial value, and what an earlier option gave. */
static void others_keep_their_values(void **state)
{
    (void)state;
    struct script s = PARSE("--net=dense", "--dropout", "text=0", "--dropout", "audio=.25");
    assert_true(s.settings.dropout[0] == 0 && s.settings.dropout[1] == .5);
    assert_true(s.settings.dropout[2] == .25);
    s = PARSE("--net=dense", "--net", "vision=deep");
    assert_ptr_equal(s.settings.net[0], &dense);
    assert_ptr_equal(s.settings.net[1], &deep);
}

static void there_is_a_list_for_each_key(void **state)
{
    (void)state;
    struct script s = PARSE("--from", "text=a", "--from=b", "--from", "audio=c,text=d");
    assert_string_equal(s.m.error, "");
    assert_string_equal(s.from, "abd;b;bc;");
}

static void wrong_keys_and_values_are_refused(void **state)
{
    (void)state;
    refused(PARSE("--hidden", "taste=3"), "--hidden: 'taste' is none of " KEYS);
    refused(PARSE("--hidden", "text=3,text=4"), "--hidden: 'text' is there twice");
    refused(PARSE("--hidden", "text="), "--hidden: 'text=' is not KEY=VALUE");
    refused(PARSE("--hidden", "text=101"), "--hidden: '101' is not a number from 1 to 100");
    refused(PARSE("--hidden", "9,audio=4"), "--hidden: '9' is not KEY=VALUE");
    refused(PARSE("--hidden", ""), "--hidden: '' is not a number from 1 to 100");
    refused(PARSE("--net", "text=wide"), "--net: 'wide' is none of auto|deep|dense|bare");
}

static void what_no_chosen_variant_takes_is_refused(void **state)
{
    (void)state;
    refused(PARSE("--net=deep", "--hidden", "3"), "--hidden is for dense, not for deep");
    refused(PARSE("--net=dense", "--heads", "2"), "--heads is for deep, not for dense");
    refused(PARSE("--net=bare", "--dropout", ".1"), "--dropout is for deep, dense, not for bare");
    refused(PARSE("--net=dense", "--net=text=deep", "--hidden=text=3"),
            "--hidden is for dense, not for deep");
    refused(PARSE("--hidden", "3"), "--hidden is for dense, which nothing here goes through");
    refused(PARSE("--dropout", "text=0"),
            "--dropout is for deep, dense, which nothing here goes through");
    struct script s = PARSE("--net=dense", "--net=text=deep", "--hidden", "3", "--heads=4");
    assert_string_equal(s.m.error, ""); /* for all that take it */
    assert_int_equal(s.heads, 4);
    assert_string_equal(PARSE("--net=text=deep", "--hidden=audio=3").m.error, ""); /* no audio */
}

static void what_was_given_is_told_by_key_whatever_its_value(void **state)
{
    (void)state;
    struct script s = PARSE("--net=deep", "--dropout", "audio=.5", "--dropout", "text=.5");
    assert_int_equal(s.dropout, 1 | 4);
    assert_int_equal(s.hidden, 0);
    assert_int_equal(s.heads_given, 0);
    s = PARSE("--net=dense", "--net=text=deep", "--hidden", "3", "--heads=8");
    assert_int_equal(s.hidden, UINT32_MAX);
    assert_int_equal(s.heads_given, UINT32_MAX);
    assert_int_equal(s.dropout, 0);
}

static void parse_operand_body(struct msa *m)
{
    options_parse(m, &by_operand);
    assert_int_equal(m->operand_count, strcmp(m->argv[m->argc - 1], "file") == 0);
    if (m->operand_count)
        assert_string_equal(m->operands[0], "file");
    assert_null(m->operands[m->operand_count]);
    options_check_taken(m, &m->named, 1);
    assert_true(variant_chosen(m, &dense));
}

static struct script parse_operand(int argc, char **argv)
{
    struct script s = {.m = {.program = "msa-test", .argc = argc, .argv = argv}};
    msa_run(&s.m, parse_operand_body);
    return s;
}

static void an_operand_names_a_variant(void **state)
{
    (void)state;
    assert_string_equal(parse_operand(2, ARGV("dense")).m.error, "");
    assert_string_equal(parse_operand(3, ARGV("dense", "file")).m.error, "");
    assert_string_equal(parse_operand(4, ARGV("--hidden=3", "dense", "file")).m.error, "");
    refused(parse_operand(2, ARGV("wide")), "'wide' is none of deep, dense, bare");
    refused(parse_operand(3, ARGV("file", "dense")), "'file' is none of deep, dense, bare");
    refused(parse_operand(1, ARGV(NULL)),
            "too few operands: expected HOW [FILE] (see msa-test --help)");
    refused(parse_operand(4, ARGV("dense", "file", "other")),
            "unexpected operand 'other' (see msa-test --help)");
    refused(parse_operand(3, ARGV("dense", "--heads=2")), "--heads is for deep, not for dense");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_for_all_or_by_key),
        cmocka_unit_test(others_keep_their_values),
        cmocka_unit_test(there_is_a_list_for_each_key),
        cmocka_unit_test(wrong_keys_and_values_are_refused),
        cmocka_unit_test(what_no_chosen_variant_takes_is_refused),
        cmocka_unit_test(what_was_given_is_told_by_key_whatever_its_value),
        cmocka_unit_test(an_operand_names_a_variant),
    };
    return cmocka_run_group_tests_name("variants", tests, NULL, NULL);
}
