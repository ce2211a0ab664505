/* Files that are whole or not there, logs and mappings (file.h), the progress line (progress.h). */
#include "common/cli/checksum.h"
#include "common/cli/file.h"
#include "common/cli/progress.h"
#include "tests/unit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In place of libc's. */
static int syncs;

int fsync(int fd)
{
    (void)fd;
    syncs++;
    return 0;
}

/* Where there is no /proc, a file without a name would never get one. */
static bool no_proc;

int access(const char *path, int mode)
{
    return no_proc && strcmp(path, "/proc/self/fd") == 0 ? -1 : faccessat(AT_FDCWD, path, mode, 0);
}

/* ---- Replacing ---- */

static void replace(struct msa *m, const char *path)
{
    struct file *f = file_create(m, path);
    fputs("new", file_stream(m, f));
    assert_ptr_equal(file_stream(m, f), file_stream(m, f));
    if (f->whole && file_exists("x"))
        holds("x", "old");
    file_commit(m, f);
}

static void replace_x(struct msa *m)
{
    replace(m, "x");
}

static void replace_link(struct msa *m)
{
    replace(m, "link");
}

static void replace_without_stream(struct msa *m)
{
    struct file *f = file_create(m, "x");
    assert_int_equal(write(f->fd, "raw", 3), 3);
    file_commit(m, f);
}

static void replace_unsynced(struct msa *m)
{
    struct file *f = file_create(m, "x");
    fputs("quick", file_stream(m, f));
    fflush(file_stream(m, f));
    holds("x", "raw");
    file_commit_unsynced(m, f);
}

static void abandon(struct msa *m)
{
    struct file *f = file_create(m, "x");
    fputs("half", file_stream(m, f));
    fflush(file_stream(m, f));
    assert_true(file_exists(".x.lock"));
    assert_int_equal(f->named, no_proc);
    assert_int_equal(files_here(), 1 + no_proc + file_exists("x"));
    file_abandon(m, f);
}

static void fail_half_way(struct msa *m)
{
    fputs("half", file_stream(m, file_create(m, "x")));
    msa_fail(m, MSA_FAILED, "half way");
}

static void a_commit_replaces_the_file(void **state)
{
    (void)state;
    succeeds(replace_x);
    holds("x", "new");
    put("x", "old");
    assert_int_equal(chmod("x", 0600), 0);
    succeeds(replace_x);
    holds("x", "new");
    struct stat status;
    assert_int_equal(stat("x", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    succeeds(replace_without_stream);
    holds("x", "raw");
    assert_int_equal(syncs, 3 * 2); /* the file and its directory, each time */
    succeeds(replace_unsynced);
    holds("x", "quick");
    assert_int_equal(syncs, 3 * 2);
    syncs = 0;
    assert_int_equal(files_here(), 1);
}

static void so_it_does_without_nameless_files(void **state)
{
    no_proc = true;
    a_commit_replaces_the_file(state);
    no_proc = false;
}

static void without_commit_nothing_changes(void **state)
{
    (void)state;
    unlink("x");
    succeeds(abandon);
    assert_int_equal(files_here(), 0);
    put("x", "old");
    succeeds(abandon);
    fails(fail_half_way, "half way");
    holds("x", "old");
    assert_int_equal(files_here(), 1);
}

static void nor_does_it_without_nameless_files(void **state)
{
    no_proc = true;
    without_commit_nothing_changes(state);
    no_proc = false;
}

/* ---- Names ---- */

static void write_to_open_file(struct msa *m)
{
    replace(m, "/proc/self/fd/9");
    struct log *log = log_open(m, "link", 0);
    log_begin(m, log);
    log_line(m, log, "line");
    assert_int_equal(log_sync(m, log), 0);
}

static void an_open_file_is_written_on(void **state)
{
    (void)state;
    put("x", "");
    int fd = open("x", O_WRONLY);
    assert_int_equal(dup2(fd, 9), 9);
    close(fd);
    assert_int_equal(write(9, "old ", 4), 4);
    assert_int_equal(symlink("/dev/fd/9", "link"), 0);
    succeeds(write_to_open_file);
    close(9);
    holds("x", "old newline\n");
    assert_int_equal(files_here(), 2);
}

static void create_long_name(struct msa *m)
{
    char name[256] = "";
    memset(name, 'n', sizeof name - 1);
    strcpy(name, "long");
    name[4] = 'n';
    file_create(m, name);
}

static void names_that_are_too_long(void **state)
{
    (void)state;
    struct msa m = run(create_long_name);
    assert_int_equal(m.status, MSA_FAILED);
    assert_non_null(strstr(m.error, ": File name too long"));
    assert_int_equal(files_here(), 0);
}

static void links_are_followed(void **state)
{
    (void)state;
    put("x", "old");
    assert_int_equal(symlink("x", "link"), 0);
    succeeds(replace_link);
    holds("x", "new");
    struct stat status;
    assert_int_equal(lstat("link", &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(files_here(), 2);
    unlink("x"); /* it leads to nothing yet, as for a shell */
    succeeds(replace_link);
    holds("x", "new");
    assert_int_equal(files_here(), 2);
    unlink("x");
    unlink("link");
    assert_int_equal(symlink("link", "link"), 0);
    fails(replace_link, "cannot write 'link': Too many levels of symbolic links");
    assert_int_equal(files_here(), 1);
}

static void write_protected(struct msa *m)
{
    replace(m, "x");
}

static void what_is_protected_stays(void **state)
{
    (void)state;
    put("x", "old");
    assert_int_equal(chmod("x", 0444), 0); /* for root too */
    fails(write_protected, "cannot write 'x': it is write-protected");
    holds("x", "old");
    assert_int_equal(files_here(), 1);
}

static int pipe_ends[2];

static void write_to_pipe(struct msa *m)
{
    replace(m, msa_format(m, "/dev/fd/%d", pipe_ends[1]));
}

/* To that of the process that made this one. */
static void write_to_pipe_of_another(struct msa *m)
{
    replace(m, msa_format(m, "/proc/%d/fd/%d", (int)getppid(), pipe_ends[1]));
}

static void write_to_full(struct msa *m)
{
    replace(m, "/dev/full");
}

static void pipes_and_devices_are_written_in_place(void **state)
{
    (void)state;
    char text[8] = "";
    assert_int_equal(pipe(pipe_ends), 0);
    succeeds(write_to_pipe);
    assert_int_equal(read(pipe_ends[0], text, sizeof text), 3);
    assert_string_equal(text, "new");
    pid_t child = fork();
    if (child == 0) {
        struct msa m = {.program = "msa-test"};
        _exit(msa_run(&m, write_to_pipe_of_another));
    }
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_int_equal(read(pipe_ends[0], text, sizeof text), 3);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    fails(write_to_full, "cannot write '/dev/full': No space left on device");
}

static void replace_missing(struct msa *m)
{
    replace(m, "missing/x");
}

static void replace_directory(struct msa *m)
{
    replace(m, "directory");
}

static void replace_what_became_a_directory(struct msa *m)
{
    struct file *f = file_create(m, "y");
    assert_int_equal(mkdir("y", 0777), 0);
    file_commit(m, f);
}

static void files_that_cannot_be_written(void **state)
{
    (void)state;
    fails(replace_missing, "cannot write 'missing/x': No such file or directory");
    assert_int_equal(mkdir("directory", 0777), 0);
    fails(replace_directory, "cannot write 'directory': Is a directory");
    fails(replace_what_became_a_directory, "cannot write 'y': Is a directory");
    assert_int_equal(files_here(), 2);
}

/* ---- Removing ---- */

static void remove_x(struct msa *m)
{
    file_remove(m, "x");
}

static void remove_directory(struct msa *m)
{
    file_remove(m, "directory");
}

static void files_are_removed(void **state)
{
    (void)state;
    put("x", "old");
    succeeds(remove_x);
    assert_int_equal(files_here(), 0);
    succeeds(remove_x); /* it need not be there */
    assert_int_equal(mkdir("directory", 0777), 0);
    fails(remove_directory, "cannot remove 'directory': Is a directory");
}

/* ---- Checksums ---- */

static void sum_up(struct msa *m)
{
    struct checksum c = {0};
    checksum_add(&c, "12345", 5);
    checksum_add(&c, NULL, 0);
    checksum_add(&c, "6789", 4);
    assert_int_equal(c.crc32, 0xcbf43926); /* as every table of CRCs has it */
    put("digits", "123456789");
    assert_true(checksum_same(checksum_of_file(m, "digits", UINT64_MAX), c));
    assert_int_equal(checksum_of_file(m, "digits", 5).bytes, 5);
    assert_int_equal(checksum_of_file(m, "digits", 0).crc32, 0);
    checksum_of_file(m, "nowhere", 1);
}

static void checksums(void **state)
{
    (void)state;
    fails(sum_up, "cannot read 'nowhere': No such file or directory");
}

/* ---- Logs ---- */

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

/* ---- Mapping ---- */

static void map_files(struct msa *m)
{
    struct mapping map = file_map(m, "text");
    assert_int_equal(map.size, 4);
    assert_memory_equal(map.bytes, "text", 4);
    file_unmap(map);
    map = file_map(m, "empty");
    assert_int_equal(map.size, 0);
    assert_null(map.bytes);
    file_unmap(map);
}

static void map_missing(struct msa *m)
{
    file_map(m, "missing");
}

static void map_directory(struct msa *m)
{
    file_map(m, ".");
}

static void map_fifo(struct msa *m)
{
    file_map(m, "fifo");
}

static void files_are_mapped_whole(void **state)
{
    (void)state;
    put("text", "text");
    put("empty", "");
    succeeds(map_files);
    assert_int_equal(mkfifo("fifo", 0666), 0);
    fails(map_missing, "cannot read 'missing': No such file or directory");
    fails(map_directory, "cannot read '.': Is a directory");
    fails(map_fifo, "cannot read 'fifo': not a regular file");
    assert_true(file_exists("text"));
    assert_false(file_exists("missing"));
}

/* ---- Progress ---- */

static void show(enum msa_progress when, bool quiet)
{
    struct msa m = {.common = {.progress = (int)when, .quiet = quiet}};
    struct progress p = progress_start(&m);
    progress_show(&p, false, "step %d", 1000);
    progress_show(&p, false, "too soon");
    p.last = 0;
    progress_show(&p, false, "step %d", 10);
    progress_clear(&p);
    progress_show(&p, true, "step %d", 2);
    progress_clear(&p);
}

/* What show() writes to a terminal of its own that is `columns` wide, or to a file (columns 0). */
static void shows(int columns, enum msa_progress when, bool quiet, const char *text)
{
    char found[256] = "";
    FILE *file = tmpfile();
    int terminal = fileno(file);
    struct winsize size = {.ws_row = 5, .ws_col = (unsigned short)columns};
    pid_t child = columns ? forkpty(&terminal, NULL, NULL, &size) : fork();
    if (child == 0) {
        if (!columns)
            dup2(terminal, STDERR_FILENO);
        show(when, quiet);
        _exit(0);
    }
    if (child < 0 && columns)
        skip(); /* no pseudo-terminals here */
    assert_true(child > 0);
    size_t length = 0;
    if (!columns)
        waitpid(child, NULL, 0);
    if (!columns)
        lseek(terminal, 0, SEEK_SET);
    for (ssize_t n; (n = read(terminal, found + length, sizeof found - 1 - length)) > 0;)
        length += (size_t)n; /* a terminal ends with EIO when the child has gone */
    if (columns) {
        waitpid(child, NULL, 0);
        close(terminal);
    }
    fclose(file);
    assert_string_equal(found, text);
}

static void progress_is_for_those_who_see_it(void **state)
{
    (void)state;
    fflush(stdout);
    const char *line = "\rstep 1000\rstep 10  \r       \r\rstep 2\r\n";
    shows(80, MSA_PROGRESS_AUTO, false, line);
    shows(80, MSA_PROGRESS_ALWAYS, true, line);
    shows(7, MSA_PROGRESS_AUTO, false, "\rstep 1\rstep 1\r      \r\rstep 2\r\n");
    shows(80, MSA_PROGRESS_AUTO, true, "");
    shows(80, MSA_PROGRESS_NEVER, false, "");
    shows(0, MSA_PROGRESS_AUTO, false, "");
    shows(0, MSA_PROGRESS_ALWAYS, false, "step 1000\nstep 10\nstep 2\n");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)
    const struct CMUnitTest tests[] = {
        TEST(a_commit_replaces_the_file),
        TEST(so_it_does_without_nameless_files),
        TEST(without_commit_nothing_changes),
        TEST(nor_does_it_without_nameless_files),
        TEST(an_open_file_is_written_on),
        TEST(names_that_are_too_long),
        TEST(links_are_followed),
        TEST(what_is_protected_stays),
        TEST(pipes_and_devices_are_written_in_place),
        TEST(files_that_cannot_be_written),
        TEST(files_are_removed),
        TEST(checksums),
        TEST(logs_grow_by_lines),
        TEST(files_are_mapped_whole),
        TEST(progress_is_for_those_who_see_it),
    };
    return cmocka_run_group_tests_name("cli_file", tests, NULL, NULL);
}
