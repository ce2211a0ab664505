/* Options as they are parsed (option.h). */
#include "tests/unit/program.h"

#include <cmocka.h>

struct script {
    struct msa m;
    struct settings settings;
    bool proceeds;
    char *operands[8];
    char list[64], told[128];
};

static void parse_body(struct msa *m)
{
    struct script *s = (struct script *)m;
    char *argv[32], **given = m->argv;
    int argc = m->argc;
    memcpy(argv, given, ((size_t)argc + 1) * sizeof *argv);
    s->proceeds = options_parse(m, &program);
    assert_memory_equal(argv, given, ((size_t)argc + 1) * sizeof *argv);
    for (int i = 0; i < m->argc; i++)
        strcat(strcat(s->told, i ? " " : ""), m->argv[i]);
    assert_null(m->argv[m->argc]);
    assert_null(m->operands[m->operand_count]);
    memcpy(s->operands, m->operands, ((size_t)m->operand_count + 1) * sizeof *s->operands);
    s->settings = *(struct settings *)m->settings;
    for (int i = 0; i < s->settings.init.count; i++)
        strcat(strcat(s->list, s->settings.init.values[i]), ";");
    for (int i = 0; i < s->settings.freeze.count; i++)
        strcat(strcat(s->list, s->settings.freeze.values[i]), "!");
}

static struct script parse(int argc, char **argv)
{
    struct script s = {.m = {.program = "msa-test", .argc = argc, .argv = argv}};
    msa_run(&s.m, parse_body);
    assert_null(s.m.blocks);
    return s;
}

#define PARSE(...) parse((int)(sizeof(ARGV(__VA_ARGS__)) / sizeof(char *)) - 1, ARGV(__VA_ARGS__))

static void refused(struct script s, const char *line)
{
    assert_string_equal(s.m.error, line);
    assert_int_equal(s.m.status, MSA_USAGE);
}

static void defaults_are_parsed_like_values(void **state)
{
    (void)state;
    struct script bad = PARSE("x");
    refused(bad, "--dim: '32' is not a number from 1 to 8"); /* as the table has it */
    struct script s = PARSE("--dim", "4", "x");
    assert_int_equal(s.m.status, MSA_OK);
    assert_true(s.proceeds);
    assert_int_equal(s.settings.seed, 0);
    assert_true(s.settings.rate == 0.5);
    assert_int_equal(s.settings.mode, 1);
    assert_string_equal(s.settings.parameters, "p.st");
    assert_false(s.settings.keep);
    assert_string_equal(s.list, "none!");
    const struct msa_common *c = &s.m.common;
    assert_true(!c->quiet && !c->verbose && !c->output && !c->gzip && !c->no_crc);
    assert_string_equal(c->device, "auto");
    assert_int_equal(c->threads, 0);
    assert_int_equal(c->progress, MSA_PROGRESS_AUTO);
    assert_int_equal(c->max_frame, 1L << 30);
}

static void values_reach_their_fields(void **state)
{
    (void)state;
    struct script s = PARSE("--dim=8", "-kp", "a.st", "x", "--init", "1", "--rate", "1e-3",
                            "--free=-2.5", "--init=2", "-mfast", "--seed", "-7", "--freeze", "*");
    assert_string_equal(s.m.error, "");
    assert_int_equal(s.settings.dim, 8);
    assert_true(s.settings.keep);
    assert_string_equal(s.settings.parameters, "a.st");
    assert_true(s.settings.rate == 1e-3);
    assert_true(s.settings.free == -2.5);
    assert_int_equal(s.settings.mode, 0);
    assert_int_equal(s.settings.seed, -7);
    assert_string_equal(s.list, "1;2;*!");
    s = PARSE("-qvzo", "out", "--threads=3", "--progress=never", "--max-frame", "100", "--no-crc",
              "--device", "cuda:12", "--dim", "1", "--dim", "2", "x");
    assert_string_equal(s.m.error, "");
    const struct msa_common *c = &s.m.common;
    assert_true(c->quiet && c->verbose && c->gzip && c->no_crc);
    assert_string_equal(c->output, "out");
    assert_string_equal(c->device, "cuda:12");
    assert_int_equal(c->threads, 3);
    assert_int_equal(c->progress, MSA_PROGRESS_NEVER);
    assert_int_equal(c->max_frame, 100);
    assert_int_equal(s.settings.dim, 2);
}

static void operands_may_stand_anywhere(void **state)
{
    (void)state;
    struct script s = PARSE("--dim", "1", "a", "-k", "-");
    assert_int_equal(s.m.operand_count, 2);
    assert_string_equal(s.operands[0], "a");
    assert_string_equal(s.operands[1], "-");
    assert_true(s.settings.keep);
    s = PARSE("a", "--dim", "1", "--", "--keep");
    assert_string_equal(s.m.error, "");
    assert_string_equal(s.operands[1], "--keep");
    assert_false(s.settings.keep);
    refused(PARSE("--dim=1", "a", "b", "c"), "unexpected operand 'c' (see msa-test --help)");
    refused(PARSE("--dim=1"), "too few operands: expected FILE [FILE] (see msa-test --help)");
}

static void told(const char *expected, struct script s)
{
    assert_int_equal(s.m.status, MSA_OK);
    assert_string_equal(s.told, expected);
}

/* -k and --init are not; -z and -v stand with -k, and a value may look like a flag. */
static void some_options_are_not_told(void **state)
{
    (void)state;
    told("msa-test --dim 4 x", PARSE("--dim", "4", "x"));
    told("msa-test --dim 4 x", PARSE("-k", "--dim", "4", "x"));
    told("msa-test --dim 4 x", PARSE("--dim", "4", "x", "--keep"));
    told("msa-test -v --dim=4 x", PARSE("-kv", "--dim=4", "x"));
    told("msa-test -zv --dim 4 x", PARSE("-zkvk", "--dim", "4", "x"));
    told("msa-test -pk --dim 4 x", PARSE("-pk", "--dim", "4", "x"));
    told("msa-test -zpk --dim 4 x", PARSE("-kzpk", "--dim", "4", "x"));
    told("msa-test -z -p -k --dim 4 x", PARSE("-z", "-p", "-k", "--dim", "4", "x"));
    told("msa-test -p k --dim 4 x", PARSE("-kp", "k", "--dim", "4", "x"));
    told("msa-test --dim 4 x", PARSE("--init", "a", "--dim", "4", "--init=b", "-kk", "x"));
    told("msa-test --dim 4 -- -k --init", PARSE("--dim", "4", "--", "-k", "--init"));
}

static void wrong_names_are_refused(void **state)
{
    (void)state;
    refused(PARSE("--foo"), "unknown option '--foo' (see msa-test --help)");
    refused(PARSE("--foo=1"), "unknown option '--foo' (see msa-test --help)");
    refused(PARSE("--kee"), "unknown option '--kee' (see msa-test --help)");
    refused(PARSE("--dev", "cpu"), "unknown option '--dev' (see msa-test --help)");
    refused(PARSE("--dev=cpu"), "unknown option '--dev' (see msa-test --help)");
    refused(PARSE("--dev"), "unknown option '--dev' (see msa-test --help)");
    refused(PARSE("--kee=1"), "unknown option '--kee' (see msa-test --help)");
    refused(PARSE("--fre", "1"), "unknown option '--fre' (see msa-test --help)"); /* ambiguous */
    refused(PARSE("--hel"), "unknown option '--hel' (see msa-test --help)");
    refused(PARSE("-kx"), "unknown option '-x' (see msa-test --help)");
    refused(PARSE("-xk"), "unknown option '-x' (see msa-test --help)");
    assert_false(PARSE("--dim=1", "x").settings.keep); /* the rest of -xk is forgotten */
    refused(PARSE("-p"), "option '-p' needs a value (see msa-test --help)");
    refused(PARSE("--dim"), "option '--dim' needs a value (see msa-test --help)");
    refused(PARSE("--keep=1"), "option '--keep' takes no value (see msa-test --help)");
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static char *const not_int[] = {"",  " 1",  "1 ", "+1", "0x1", "1.5",
                                    "-", "1e0", "0",  "9",  "--1", "99999999999999999999",
                                    "1-"};
    for (size_t i = 0; i < sizeof not_int / sizeof *not_int; i++) {
        char line[100];
        snprintf(line, sizeof line, "--dim: '%s' is not a number from 1 to 8", not_int[i]);
        refused(PARSE("--dim", not_int[i]), line);
    }
    static char *const not_real[] = {"",   "nan", "inf",   " 0",  "0x1p-1", "+0.1",  ".",
                                     "1e", "e1",  "1e999", "1,5", "1.0001", "-1e-9", "1 "};
    for (size_t i = 0; i < sizeof not_real / sizeof *not_real; i++) {
        char line[100];
        snprintf(line, sizeof line, "--rate: '%s' is not a number from 0 to 1", not_real[i]);
        refused(PARSE("--rate", not_real[i]), line);
    }
    refused(PARSE("--free=1e999"), "--free: '1e999' is not a number");
    refused(PARSE("--seed=9223372036854775808"), "--seed: '9223372036854775808' is not a number");
    refused(PARSE("--mode", "fas"), "--mode: 'fas' is none of fast|slow|off");
    refused(PARSE("--mode", "fast|slow"), "--mode: 'fast|slow' is none of fast|slow|off");
    refused(PARSE("--mode="), "--mode: '' is none of fast|slow|off");
    refused(PARSE("--parameters="), "--parameters: the value is empty, but expected FILE");
    refused(PARSE("-p", ""), "--parameters: the value is empty, but expected FILE");
    refused(PARSE("--init", "a", "--init", ""), "--init: the value is empty, but expected FILE");
    refused(PARSE("-o", ""), "--output: the value is empty, but expected FILE");
    refused(PARSE("--dim=1", "x", ""), "operand 2 is empty, but expected FILE [FILE]");
    refused(PARSE("--max-frame", "0"), "--max-frame: '0' is not a number from 1 to 4294967295");
    static char *const not_device[] = {"gpu",   "cuda:", "cuda:x",  "cuda:1 ",
                                       "cpu:0", "cpu:",  "cpu:v33", "cuda:1234"};
    for (size_t i = 0; i < sizeof not_device / sizeof *not_device; i++) {
        char line[100];
        snprintf(line, sizeof line, "--device: '%s' is none of auto|cpu[:base|:v3|:v4]|cuda[:N]",
                 not_device[i]);
        refused(PARSE("--dim=1", "x", "--device", not_device[i]), line);
    }
    assert_int_equal(PARSE("--dim=1", "x", "--device", "test").m.status, MSA_OK);
    assert_string_equal(PARSE("--dim=1", "x", "--skip", "").settings.skip, "");
    assert_int_equal(PARSE("--dim=1", "x", "--device", "cpu:v3").m.status, MSA_OK);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_parsed_like_values),
        cmocka_unit_test(values_reach_their_fields),
        cmocka_unit_test(operands_may_stand_anywhere),
        cmocka_unit_test(some_options_are_not_told),
        cmocka_unit_test(wrong_names_are_refused),
        cmocka_unit_test(wrong_values_are_refused),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
