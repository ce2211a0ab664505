/* When numbers and values are equal, and what is said of them when they are not (compare.h); which
 * frames of a recording came back (recording.h). */
#include "common/inspect/compare.h"
#include "common/stream/recording.h"
#include "tests/unit/stream.h"
#include <math.h>

static const char *expected; /* of the comparison at hand: its report; "" when it is equal */

/* Ends the run where the report is another one. */
static void check_report(struct msa *m, struct compare *c)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    compare_report(c, to, false, false);
    fclose(to);
    bool same = strcmp(text, expected) == 0 && compare_equal(c) == !*expected;
    char *found = msa_strndup(m, text, size);
    free(text);
    if (!same)
        msa_fail(m, MSA_FAILED, "reported '%s' but expected '%s'", found, expected);
}

static void run(void (*body)(struct msa *))
{
    struct msa m = {.program = "test"};
    if (msa_run(&m, body) != MSA_OK)
        fail_msg("%s", m.error);
}

/* ---- Tensors ---- */

/* Two tensors of 1 dimension, which differ as `report` says, at that tolerance. */
static void tensors(struct msa *m, double tolerance, enum dtype dtype, const void *a, const void *b,
                    size_t count, const char *report)
{
    struct compare *c = compare_new(m, (struct compare_choice){.tolerance = tolerance});
    struct tensor x = tensor_of("x", dtype, a, 1, &count), y = tensor_of("x", dtype, b, 1, &count);
    compare_tensors(c, &(struct spot){.kind = "", .path = "x"}, &x, &y);
    expected = report;
    check_report(m, c);
}

static void floats(struct msa *m)
{
    const float a[] = {1, NAN, INFINITY, 0}, b[] = {1, -NAN, INFINITY, -0.0F};
    tensors(m, 0, F4, a, b, 4, "");
    const float next[] = {1.00000012F};
    tensors(m, 0, F4, a, next, 1,
            "x: 1 and 1.00000012 at [0], by 1.192e-07 (relative 1.192e-07)\n");
    tensors(m, 1e-6, F4, a, next, 1, "");
    const float large[] = {1000, 2000}, larger[] = {1001, 2000};
    tensors(m, 1e-3, F4, large, larger, 2, "");
    tensors(m, 9e-4, F4, large, larger, 2,
            "x: 1000 and 1001 at [0]; 1 of 2 values differ, by at most 1 (relative 0.000999)\n");
    const float small[] = {1e-9F}, smaller[] = {0};
    tensors(m, 1e-8, F4, small, smaller, 1, "");
}

/* No tolerance makes an infinity or NaN equal to anything else. */
static void not_finite(struct msa *m)
{
    const double a[] = {1, INFINITY, NAN}, b[] = {NAN, -INFINITY, INFINITY}, c[] = {INFINITY, 1, 2};
    tensors(m, 1e300, F8, a, b, 3,
            "x: 1 and nan at [0]; 3 of 3 values differ, by at most inf (relative inf)\n");
    tensors(m, 1e300, F8, a, c, 3,
            "x: 1 and inf at [0]; 3 of 3 values differ, by at most inf (relative inf)\n");
}

/* Of more digits than a double has; a tolerance is for what was computed. */
static void whole(struct msa *m)
{
    const int64_t a[] = {INT64_MAX}, b[] = {INT64_MAX - 1};
    tensors(m, 0, I8, a, b, 1,
            "x: 9223372036854775807 and 9223372036854775806 at [0], by 1 (relative 1.084e-19)\n");
    const uint8_t c[] = {1, 200}, d[] = {1, 201};
    tensors(m, 0.5, U1, c, d, 2,
            "x: 200 and 201 at [1]; 1 of 2 values differ, by at most 1 (relative 0.004975)\n");
}

static void numbers(void **state)
{
    (void)state;
    run(floats);
    run(not_finite);
    run(whole);
}

static void shapes(struct msa *m)
{
    static const float data[6];
    struct compare *c = compare_new(m, (struct compare_choice){.tolerance = 1});
    struct tensor x = tensor_of("x", F4, data, 2, (size_t[]){2, 3});
    struct tensor y = tensor_of("x", F4, data, 2, (size_t[]){3, 2});
    struct tensor z = tensor_of("x", I4, data, 2, (size_t[]){2, 3});
    struct frame f = {.seq = 7};
    const struct spot at = {.kind = "D", .path = "tensor 'x'", .frame = &f};
    compare_tensors(c, &at, &x, &x);
    compare_tensors(c, &at, &x, &y);
    compare_tensors(c, &at, &x, &z);
    compare_tensors(c, &at, &x, NULL);
    expected = "D tensor 'x': <f4[2,3] and <f4[3,2] in frame 7; 3 of 9 values differ\n";
    check_report(m, c);
}

static void structure(void **state)
{
    (void)state;
    run(shapes);
}

/* ---- Values ---- */

static void values(struct msa *m)
{
    msgpack_zone *zone = value_zone(m);
    value a = value_map(), b = value_map(), inner = value_map();
    struct compare *c = compare_new(m, (struct compare_choice){0});
    value_set(m, zone, &a, "one", value_of_int(1));
    value_set(m, zone, &a, "nan", value_of_real(NAN));
    value_set(m, zone, &b, "nan", value_of_real(NAN));
    value_set(m, zone, &b, "one", value_of_real(1));
    expected = "";
    compare_values(c, &(struct spot){.kind = "D"}, &a, &b);
    check_report(m, c);
    value_set(m, zone, &inner, "list", value_nils(m, zone, 2));
    value_set(m, zone, &a, "in", inner);
    inner = value_map();
    value_set(m, zone, &inner, "list", value_nils(m, zone, 3));
    value_set(m, zone, &b, "in", inner);
    value_set(m, zone, &b, "one", value_str(m, zone, "1\x1b[2J"));
    expected = "D one: 1 and \"1?[2J\"; 1 of 2 values differ\n"
               "D in.list: nothing and nil at [2]; 1 of 3 values differ\n";
    compare_values(c, &(struct spot){.kind = "D"}, &a, &b);
    check_report(m, c);
}

/* Without end, names would fill the memory. */
static void names(struct msa *m)
{
    struct compare *c = compare_new(m, (struct compare_choice){0});
    for (int i = 0; i < 20000; i++) {
        struct spot at = {.kind = ""};
        snprintf(at.path, sizeof at.path, "%d", i);
        compare_texts(c, &at, "a", i < 16000 ? "a" : "b");
    }
    char *text = NULL;
    size_t size, lines = 0;
    FILE *to = open_memstream(&text, &size);
    compare_report(c, to, true, false);
    fclose(to);
    for (char *at = text; *at; at++)
        lines += *at == '\n';
    bool rest = strstr(text, "\nall others: a and b; 3617 of 3617 values differ\n");
    free(text);
    if (lines != 1 << 14 || !rest)
        msa_fail(m, MSA_FAILED, "%zu lines", lines);
}

static void maps_and_arrays(void **state)
{
    (void)state;
    run(values);
    run(names);
}

/* ---- Recordings ---- */

static void what_came_back(void **state)
{
    (void)state;
    struct recording_order order = {0};
    const char kinds[] = "HDGDDCCDGMCCE";
    const char came[] = "..b...b.b..b.";
    for (size_t i = 0; kinds[i]; i++)
        assert_int_equal(
            recording_came_back(&order, &(struct frame){.kind = (enum frame_kind)kinds[i]}),
            came[i] == 'b');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(structure),
        cmocka_unit_test(maps_and_arrays),
        cmocka_unit_test(what_came_back),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
