/* Files that are whole or not there, and mappings (file.h). */
#include "common/run/checksum.h"
#include "common/run/log.h"
#include "common/run/mapping.h"
#include "tests/unit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

/* ---- Mapping ---- */

static void map_files(struct msa *m)
{
    struct mapping map = mapping_of(m, "text");
    assert_int_equal(map.size, 4);
    assert_memory_equal(map.bytes, "text", 4);
    mapping_close(m, map);
    map = mapping_of(m, "empty");
    assert_int_equal(map.size, 0);
    assert_null(map.bytes);
    mapping_close(m, map);
}

static void map_missing(struct msa *m)
{
    mapping_of(m, "missing");
}

static void map_directory(struct msa *m)
{
    mapping_of(m, ".");
}

static void map_fifo(struct msa *m)
{
    mapping_of(m, "fifo");
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
        TEST(files_are_mapped_whole),
    };
    return cmocka_run_group_tests_name("cli_file", tests, NULL, NULL);
}
