/* Logs (file.h). */
#include "common/run/log.h"
#include "common/run/checksum.h"
#include "tests/unit/files.h"

static void keep_log(struct msa *m)
{
    struct log *log = log_open(m, "log", 4);
    log_line(m, log, "1\tone");
    holds("log", "old\nlost"); /* nothing is touched yet */
    log_begin(m, log);
    holds("log", "old\n1\tone\n");
    log_line(m, log, "2");
    holds("log", "old\n1\tone\n2\n"); /* each line at once */
    assert_int_equal(log_sync(m, log), 12);
    struct checksum new = {0};
    checksum_add(&new, "1\tone\n2\n", 8);
    assert_int_equal(log->crc32, new.crc32);
    log_line(m, log, "3");
    log_close(m, log);
}

static void keep_too_much(struct msa *m)
{
    log_open(m, "log", 1000);
}

static void keep_device(struct msa *m)
{
    struct log *log = log_open(m, "/dev/null", 1000);
    log_begin(m, log);
    assert_int_equal(log_sync(m, log), 0);
}

static void keep_columns(struct msa *m)
{
    log_head(m, log_open(m, "log", 4), "a\tb\tc");
}

static void keep_other_columns(struct msa *m)
{
    log_head(m, log_open(m, "log", 4), "a\td\tc");
}

static void keep_more_columns(struct msa *m)
{
    log_head(m, log_open(m, "log", 4), "a\tb\tc\td");
}

static void begin_columns(struct msa *m)
{
    struct log *log = log_open(m, "new", 0);
    log_head(m, log, "a\tb");
    assert_false(file_exists("new"));
    log_line(m, log, "1\t2");
    log_close(m, log);
}

static void refuses(void (*body)(struct msa *), const char *line)
{
    struct msa m = run(body);
    assert_string_equal(m.error, line);
    assert_int_equal(m.status, MSA_USAGE);
}

static void logs_keep_their_columns(void **state)
{
    (void)state;
    put("log", "a\tb\tc\n1\t2\t3\n");
    succeeds(keep_columns);
    refuses(keep_other_columns, "cannot go on with 'log': column 2 is 'b' but expected 'd'");
    refuses(keep_more_columns, "cannot go on with 'log': column 4 is '' but expected 'd'");
    holds("log", "a\tb\tc\n1\t2\t3\n");
    succeeds(begin_columns);
    holds("new", "a\tb\n1\t2\n");
}

static void empty_log(struct msa *m)
{
    struct log *log = log_open(m, "log", 0);
    log_begin(m, log);
    holds("log", "");
    log_line(m, log, "3");
    msa_fail(m, MSA_FAILED, "after a line");
}

static void fail_before_it_begins(struct msa *m)
{
    log_line(m, log_open(m, file_exists("log") ? "log" : "other", 0), "4");
    msa_fail(m, MSA_FAILED, "held");
}

static void log_to_full(struct msa *m)
{
    struct log *log = log_open(m, "/dev/full", 0);
    log_begin(m, log);
    log_line(m, log, "line");
}

static void only_open(struct msa *m)
{
    log_open(m, "other", 0);
}

static void log_to_directory(struct msa *m)
{
    log_open(m, ".", 0);
}

static void lose_log(struct msa *m)
{
    struct log *log = log_open(m, "log", 0);
    log_begin(m, log);
    log_line(m, log, "5");
    unlink("log");
    log_sync(m, log);
}

static void find_another_log(struct msa *m)
{
    struct log *log = log_open(m, "log", 0);
    log_begin(m, log);
    unlink("log");
    put("log", "another");
    log_sync(m, log);
}

static void logs_grow_by_lines(void **state)
{
    (void)state;
    put("log", "old\nlost");
    succeeds(keep_log);
    holds("log", "old\n1\tone\n2\n3\n");
    fails(keep_too_much, "cannot go on with 'log': 14 bytes but expected at least 1000");
    holds("log", "old\n1\tone\n2\n3\n");
    succeeds(keep_device);
    fails(empty_log, "after a line");
    holds("log", "3\n");
    fails(fail_before_it_begins, "held");
    holds("log", "3\n");
    succeeds(only_open);
    assert_int_equal(files_here(), 1);
    unlink("log");
    fails(fail_before_it_begins, "held"); /* where nothing is lost a line is written at once */
    holds("other", "4\n");
    fails(log_to_full, "cannot write '/dev/full': No space left on device");
    fails(log_to_directory, "cannot write '.': Is a directory");
    put("log", "3\n");
    fails(lose_log, "'log' was removed or replaced while it was being written");
    assert_false(file_exists("log"));
    fails(find_another_log, "'log' was removed or replaced while it was being written");
    holds("log", "another");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(logs_grow_by_lines, enter_directory, leave_directory),
        cmocka_unit_test_setup_teardown(logs_keep_their_columns, enter_directory, leave_directory),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
