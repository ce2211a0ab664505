/* One writer a file (file_lock.h), and where its path leads (target.h). */
#include "common/run/file_lock.h"
#include "common/run/log.h"
#include "tests/unit/files.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* In place of libc's: nothing is waited for. */
static int waits;

int poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    (void)fds;
    (void)count;
    (void)milliseconds;
    waits++;
    return 0;
}

/* And a file system may have no locks. */
static int no_locks;

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (no_locks && command == F_OFD_SETLK) {
        errno = no_locks;
        return -1;
    }
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

static void replace(struct msa *m, const char *path)
{
    struct file *f = file_create(m, path);
    fputs("new", file_stream(m, f));
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

/* Holds a file as another program would: the lock is the descriptor's. */
static int hold(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    return fd;
}

static void log_x(struct msa *m)
{
    log_begin(m, log_open(m, "x", 0));
}

static void open_x(struct msa *m)
{
    close(file_open(m, "x"));
}

static void one_program_writes_a_file(void **state)
{
    (void)state;
    static const char line[] = "cannot write 'x': another program is writing it",
                      linked[] = "cannot write 'link': another program is writing it";
    put("x", "old");
    int fd = hold(".x.lock");
    fails(replace_x, line);
    assert_int_equal(symlink("x", "link"), 0);
    fails(replace_link, linked);
    close(fd);
    assert_int_equal(chmod(".x.lock", 0200), 0); /* left by a run that was killed */
    succeeds(replace_link);
    assert_false(file_exists(".x.lock"));
    fd = hold("x");
    fails(log_x, line);
    fails(open_x, line);
    holds("x", "new");
    close(fd);
    succeeds(log_x);
    holds("x", "");
    unlink("x");
    fd = hold(".x.lock"); /* there is no file yet that could be locked */
    fails(log_x, line);
    close(fd);
    succeeds(log_x);
    assert_int_equal(files_here(), 2);
    unlink("link");
}

static void create_both(struct msa *m)
{
    file_claim(m, "x");
    for (int i = 0; i < 2; i++) {
        put("x", "old");
        replace(m, "x"); /* it is this run's */
        assert_true(file_exists(".x.lock"));
    }
}

static mode_t mode_of_lock;

static void look_at_lock(struct msa *m)
{
    struct stat status;
    file_claim(m, "x");
    assert_int_equal(stat(".x.lock", &status), 0);
    mode_of_lock = status.st_mode & 0777;
}

/* Who may only read the file, or nothing of it, cannot hold it. */
static void a_lock_is_for_those_who_may_write(void **state)
{
    (void)state;
    const mode_t modes[][2] = {
        {0700, 0600}, {0755, 0600}, {0775, 0660}, {01777, 0660}, {0777, 0666}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(".", modes[i][0]), 0);
        succeeds(look_at_lock);
        assert_int_equal(mode_of_lock, modes[i][1]);
    }
    assert_int_equal(files_here(), 0);
}

static void what_is_not_ours_stays(void **state)
{
    (void)state;
    put("x", "old");
    put("x.tmp", "the user's");
    put(".x.tmp", "the user's");
    put(".x.msa-mine.tmp", "the user's");
    put(".x.msa-0123abcde.tmp", "the user's");
    put(".xx.msa-0123abcd.tmp", "of another file");
    succeeds(create_both);
    assert_int_equal(files_here(), 6);
    put(".x.msa-0123abcd.tmp", "of a run that may be at work"); /* no lock was left */
    succeeds(create_both);
    assert_int_equal(files_here(), 7);
    put(".x.lock", "");
    succeeds(create_both); /* of one that was killed */
    assert_int_equal(files_here(), 6);
    put(".x.lock", "the user's");
    succeeds(create_both);
    holds(".x.lock", "the user's");
    unlink(".x.lock");
    assert_int_equal(symlink("x", ".x.lock"), 0);
    fails(replace_x, "cannot write 'x': cannot lock '.x.lock': Too many levels of symbolic links");
    holds("x", "new");
}

static void log_link(struct msa *m)
{
    log_begin(m, log_open(m, "link", 0));
}

/* Who writes in place holds the file itself, and who replaces it .x.lock: each looks at both. */
static void in_place_or_by_rename(void **state)
{
    (void)state;
    static const char line[] = "cannot write 'x': another program is writing it";
    put("x", "old");
    assert_int_equal(symlink("x", "link"), 0);
    int fd = hold("x");
    fails(replace_x, line);
    fails(replace_link, "cannot write 'link': another program is writing it");
    holds("x", "old");
    close(fd);
    fd = hold(".x.lock");
    fails(log_x, line);
    fails(log_link, "cannot write 'link': another program is writing it");
    fails(open_x, line);
    holds("x", "old");
    close(fd);
    put(".x.msa-0123abcd.tmp", "half"); /* of the run that left the lock */
    succeeds(open_x);
    holds("x", "");
    assert_int_equal(files_here(), 2);
    waits = 0;
    succeeds(replace_x);
    succeeds(log_x);
    assert_int_equal(waits, 0);
}

static void some_file_systems_have_no_locks(void **state)
{
    (void)state;
    static const int reasons[] = {ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL};
    put("x", "old");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char line[128];
        snprintf(line, sizeof line, "cannot write 'x': its file system has no locks (%s)",
                 strerror(reasons[i]));
        no_locks = reasons[i];
        fails(replace_x, line);
        fails(log_x, line);
        no_locks = 0;
        holds("x", "old");
        assert_int_equal(files_here(), 1);
    }
}

/* ---- Where a path leads ---- */

static void lead(const char *to, const char *link)
{
    unlink(link);
    assert_int_equal(symlink(to, link), 0);
}

static void lead_elsewhere(struct msa *m)
{
    file_claim(m, "run/x");
    file_claim(m, "link");
    replace(m, "run/y");
    struct log *log = log_open(m, "run/log", 0);
    log_begin(m, log);
    lead("other", "run");
    lead("other/y", "link");
    replace(m, "run/x");
    replace(m, "run/y");
    replace(m, "run/z");
    replace(m, "link");
    file_remove(m, "run/y");
    log_line(m, log, "line");
    assert_int_equal(log_sync(m, log), 5);
}

static void links_are_followed_once(void **state)
{
    static const char *const mine[] = {"x", "z", "log"};
    (void)state;
    assert_int_equal(mkdir("one", 0777), 0);
    assert_int_equal(mkdir("other", 0777), 0);
    put("other/x", "old");
    put("other/y", "old");
    lead("one", "run");
    lead("one/l", "link");
    succeeds(lead_elsewhere);
    holds("other/x", "old");
    holds("other/y", "old");
    unlink("other/x");
    unlink("other/y");
    assert_int_equal(rmdir("other"), 0);
    holds("one/l", "new");
    unlink("one/l");
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) {
        char path[16];
        snprintf(path, sizeof path, "one/%s", mine[i]);
        holds(path, strcmp(mine[i], "log") == 0 ? "line\n" : "new");
        unlink(path);
    }
    assert_int_equal(rmdir("one"), 0);
}

static void replace_folder(struct msa *m)
{
    replace(m, "one/x");
    assert_int_equal(rename("one", "moved"), 0);
    assert_int_equal(mkdir("one", 0777), 0);
    replace(m, "one/x");
}

static void a_folder_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir("one", 0777), 0);
    fails(replace_folder, "cannot write 'one/x': its folder was removed or replaced");
    assert_int_equal(rmdir("one"), 0);
    unlink("moved/x");
}

static void compare(struct msa *m)
{
    static const char *const same[] = {"new/deep/x", "./new//deep/./x", "one/../new/deep//x"};
    struct target t = target_of(m, "new/deep/x"), above = target_of(m, "new/x");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct target other = target_of(m, same[i]);
        assert_int_equal(target_same(&t, &other), i < 2);
        assert_false(target_same(&above, &other));
    }
    struct target save = target_of(m, "new/deep/x.3"), apart = target_of(m, "new/x.3");
    assert_true(target_is_checkpoint(&save, &t));
    assert_false(target_is_checkpoint(&apart, &t));
}

static void folders_may_be_missing(void **state)
{
    (void)state;
    succeeds(compare);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)
    const struct CMUnitTest tests[] = {
        TEST(one_program_writes_a_file),         TEST(in_place_or_by_rename),
        TEST(a_lock_is_for_those_who_may_write), TEST(what_is_not_ours_stays),
        TEST(some_file_systems_have_no_locks),   TEST(links_are_followed_once),
        TEST(a_folder_is_not_replaced),          TEST(folders_may_be_missing),
    };
    return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
