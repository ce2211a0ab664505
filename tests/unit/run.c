/* A run: the memory it owns, its failures (run.h). */
#include "common/run/run.h"

#include <errno.h>
#include <string.h>

#include <cmocka.h>

static int freed;

static void count_free(void *memory)
{
    freed += *(int *)memory;
}

static void use_memory(struct msa *m)
{
    char *blocks[20];
    for (size_t i = 0; i < 20; i++) {
        blocks[i] = msa_alloc(m, 40 * i);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        for (size_t k = 0; k < 40 * i; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], 1, 40 * i);
    }
    msa_free(m, blocks[19]);
    msa_free(m, blocks[7]);
    msa_free(m, blocks[0]);
    msa_free(m, NULL);
    char *grown = msa_realloc(m, NULL, 3);
    memcpy(grown, "abc", 3);
    grown = msa_realloc(m, grown, 5000);
    assert_int_equal((uintptr_t)grown % 64, 0);
    assert_memory_equal(grown, "abc", 3);
    memset(grown, 'x', 5000);
    assert_memory_equal(msa_realloc(m, grown, 2), "xx", 2);
    assert_string_equal(msa_strndup(m, "abcdef", 3), "abc");
    assert_memory_equal(msa_strndup(m, "a\0b", 3), "a\0b", 4); /* all of it, and a zero */
    assert_string_equal(msa_format(m, "%s-%d", "frame", 17), "frame-17");
    for (int i = 1; i <= 100; i *= 10) {
        int *counted = msa_alloc(m, sizeof *counted);
        *counted = i;
        msa_at_free(counted, count_free);
        if (i == 10)
            msa_free(m, counted);
        if (i == 100)
            msa_realloc(m, counted, 1000);
    }
    assert_int_equal(freed, 10);
}

static void memory_belongs_to_the_run(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test"};
    freed = 0;
    assert_int_equal(msa_run(&m, use_memory), MSA_OK);
    assert_int_equal(freed, 111);
    assert_null(m.blocks);
}

static void ask_too_much(struct msa *m)
{
    msa_alloc(m, SIZE_MAX - 10);
}

static void ask_too_many(struct msa *m)
{
    msa_calloc(m, SIZE_MAX / 4, 5);
}

static void grow_too_much(struct msa *m)
{
    msa_realloc(m, msa_alloc(m, 8), SIZE_MAX);
}

static void memory_that_cannot_be_had_fails_the_run(void **state)
{
    (void)state;
    void (*const bodies[])(struct msa *) = {ask_too_much, ask_too_many, grow_too_much};
    for (size_t i = 0; i < 3; i++) {
        struct msa m = {.program = "msa-test"};
        assert_int_equal(msa_run(&m, bodies[i]), MSA_FAILED);
        assert_non_null(strstr(m.error, "out of memory: "));
        assert_null(m.blocks);
    }
}

static void fail_with_a_line(struct msa *m)
{
    msa_alloc(m, 100);
    msa_fail(m, MSA_CORRUPT, "frame %d: tensor '%s'", 17, "evil\033[2J\n");
}

static void fail_with_a_reason(struct msa *m)
{
    errno = ENOENT;
    msa_fail_errno(m, "cannot read '%s'", "x");
}

static void fail_again(struct msa *m)
{
    assert_string_equal(m->error, "frame 17: tensor 'evil?[2J?'");
    assert_int_equal(m->status, MSA_CORRUPT);
    assert_non_null(m->blocks); /* told before memory goes */
    msa_alloc(m, 10);
    freed++;
    msa_fail(m, MSA_CLOSED, "the pipe is gone");
}

static void fail_around_a_failure(struct msa *m)
{
    strcpy(m->error, "the inner line");
    msa_fail(m, MSA_CUT, "around: %s", m->error);
}

static void fail_at_length(struct msa *m)
{
    msa_fail(m, MSA_FAILED, "%4000s", "x");
}

static void end_well_with_a_status(struct msa *m)
{
    m->status = MSA_FAILED;
}

static void failures_keep_status_and_line(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test", .at_fail = fail_again};
    freed = 0;
    assert_int_equal(msa_run(&m, fail_with_a_line), MSA_CORRUPT);
    assert_string_equal(m.error, "frame 17: tensor 'evil?[2J?'");
    assert_int_equal(freed, 1);
    assert_null(m.blocks);

    m.at_fail = NULL;
    assert_int_equal(msa_run(&m, fail_with_a_reason), MSA_FAILED);
    assert_string_equal(m.error, "cannot read 'x': No such file or directory");
    assert_int_equal(msa_run(&m, fail_around_a_failure), MSA_CUT);
    assert_string_equal(m.error, "around: the inner line");
    assert_int_equal(msa_run(&m, fail_at_length), MSA_FAILED);
    assert_int_equal(strlen(m.error), sizeof m.error - 1);
    assert_int_equal(msa_run(&m, end_well_with_a_status), MSA_FAILED);
    assert_string_equal(m.error, "");
}

/* ---- A part of a run that may fail ---- */

static void fail_within(void *m)
{
    *(int *)msa_alloc(m, sizeof(int)) = 1;
    msa_fail(m, MSA_CORRUPT, "within");
}

static void succeed_within(void *done)
{
    *(bool *)done = true;
}

static void try_and_go_on(struct msa *m)
{
    bool done = false;
    assert_false(msa_try(m, fail_within, m));
    assert_string_equal(m->error, "within");
    assert_true(msa_try(m, succeed_within, &done));
    assert_true(done);
    msa_fail(m, MSA_CUT, "around: %s", m->error);
}

static void a_part_may_fail(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test"};
    assert_int_equal(msa_run(&m, try_and_go_on), MSA_CUT);
    assert_string_equal(m.error, "around: within");
    assert_null(m.blocks);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_belongs_to_the_run),
        cmocka_unit_test(memory_that_cannot_be_had_fails_the_run),
        cmocka_unit_test(failures_keep_status_and_line),
        cmocka_unit_test(a_part_may_fail),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
