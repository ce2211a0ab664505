/* Writers and readers on pipes: waiting, nobody there, the last word of a program that fails
 * (frame.h). */
#include "tests/unit/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>

static const struct msa_common plain, zipped = {.gzip = true}, unchecked = {.no_crc = true};

struct drain {
    int fd;
    size_t size;
    int waits;
};

/* The other end of the pipe: takes some, so that the writer can go on. */
static void drain(void *closure, int fd)
{
    (void)fd;
    static char room[100000];
    struct drain *d = closure;
    d->size += (size_t)read(d->fd, room, sizeof room);
    d->waits++;
}

static struct drain drained;

static void write_with_wait(struct msa *m, struct writer *w)
{
    writer_on_wait(w, drain, &drained);
    write_large(m, w);
}

static void waits_instead_of_blocking(void **state)
{
    (void)state;
    struct streaming s = streaming(plain);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    s.fd = dup(ends[1]);
    drained = (struct drain){.fd = ends[0]};
    s.write = write_with_wait;
    assert_int_equal(msa_run(&s.m, write_body), MSA_OK);
    assert_true(drained.waits > 5);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    close(ends[1]);
    struct bytes b = written(plain, write_large);
    while (drained.size < b.size)
        drain(&drained, -1);
    assert_int_equal(drained.size, b.size);
    close(ends[0]);
    free(b.data);
}

static bool forgive;

static void write_closed(struct msa *m, struct writer *w)
{
    if (forgive)
        writer_forgive(w);
    write_large(m, w);
}

static void closed_pipes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int ends[2];
        struct streaming s = streaming(plain);
        assert_int_equal(pipe(ends), 0);
        close(ends[0]);
        forgive = i == 1;
        s.fd = ends[1];
        s.write = write_closed;
        assert_int_equal(msa_run(&s.m, write_body), forgive ? MSA_OK : MSA_CLOSED);
    }
}

static void write_error_twice(struct msa *m, struct writer *w)
{
    char *long_text = msa_alloc(m, 3000);
    memset(long_text, 0xff, 2999);
    writer_error(w, "msa-test", long_text);
    writer_error(w, "msa-test", "again");
}

static void read_error(struct msa *m, struct reader *r)
{
    struct frame f;
    assert_true(reader_next(r, &f));
    assert_int_equal(f.kind, FRAME_ERROR);
    assert_true(value_equals(value_get(f.map, "who"), "msa-test"));
    const char *what = value_text(f.zone, f.map, "what");
    assert_int_equal(strlen(what), 1000);
    assert_int_equal(strspn(what, "?"), 1000);
    assert_false(reader_next(r, &f));
    (void)m;
}

static void error_alone(void **state)
{
    (void)state;
    const struct msa_common *all[] = {&plain, &zipped, &unchecked};
    for (size_t i = 0; i < 3; i++) {
        struct bytes b = written(*all[i], write_error_twice);
        struct msa m = reading(plain, b.data, b.size, read_error);
        assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
}

static void error_only(struct msa *m, struct writer *w)
{
    (void)m;
    writer_error(w, "msa-test", "failed");
}

static void write_a_b(struct msa *m, struct writer *w)
{
    (void)m;
    writer_error(w, "a", "b");
}

static void the_example_of_the_page(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0xd8, 0x4d, 1,    'X',  0,   0,   0,   0,    0,   0,    14,  0,   0,   0,   0xa0, 0x51,
        0xda, 0xef, 0x82, 0xa3, 'w', 'h', 'o', 0xa1, 'a', 0xa4, 'w', 'h', 'a', 't', 0xa1, 'b'};
    struct bytes b = written(plain, write_a_b);
    assert_int_equal(b.size, sizeof expected);
    assert_memory_equal(b.data, expected, b.size);
    free(b.data);
}

static void an_error_never_blocks(void **state)
{
    (void)state;
    int ends[2];
    char room[4096] = {0};
    struct streaming s = streaming(plain);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    while (write(ends[1], room, sizeof room) > 0)
        continue;
    s.fd = ends[1];
    s.write = error_only;
    time_t start = time(NULL);
    assert_int_equal(msa_run(&s.m, write_body), MSA_OK);
    assert_true(time(NULL) - start <= 2);
    close(ends[0]);
}

static void an_empty_pipe(void **state)
{
    (void)state;
    struct streaming s = streaming(plain);
    s.fd = open("/dev/null", O_RDONLY);
    s.read = read_all;
    msa_run(&s.m, read_body);
    assert_fails(&s.m, MSA_CUT, "test: no stream: the program before ended without a word");
}

static void terminals_are_refused(void **state)
{
    (void)state;
    struct streaming s = streaming(plain);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0)
        return;
    s.fd = terminal;
    s.read = read_all;
    s.write = write_large;
    assert_int_equal(msa_run(&s.m, read_body), MSA_USAGE);
    assert_int_equal(msa_run(&s.m, write_body), MSA_USAGE);
    close(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_instead_of_blocking),
        cmocka_unit_test(closed_pipes),
        cmocka_unit_test(error_alone),
        cmocka_unit_test(the_example_of_the_page),
        cmocka_unit_test(an_error_never_blocks),
        cmocka_unit_test(an_empty_pipe),
        cmocka_unit_test(terminals_are_refused),
    };
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
