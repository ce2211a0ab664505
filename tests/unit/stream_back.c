/* The way back between two processes (gradient_channel.h). */
#include "common/stream/gradient_channel.c" /* to set its clock */

#include "tests/unit/stream.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const struct msa_common silent = {.quiet = true};

/* What the peer does once connected. */
typedef void peer_fn(struct msa *m, struct writer *w);

struct peer {
    struct msa m;
    const char *address;
    bool last;
    peer_fn *act;
};

static void peer_body(struct msa *m)
{
    struct peer *p = (struct peer *)m;
    struct writer *w = back_connect(m, p->address, p->last, NULL);
    if (p->act)
        p->act(m, w);
    writer_close(w);
}

/* A process that connects; returns its id. Its status is that of its run, or 99 when the error is
 * not the expected. */
static pid_t fork_peer(const char *address, bool last, peer_fn *act, const char *error)
{
    pid_t child = fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(3, ~0u, 0); /* the listening socket, above all */
    struct peer p = {.m = {.program = "msa-peer"}, .address = address, .last = last, .act = act};
    msa_run(&p.m, peer_body);
    _exit(error && !strstr(p.m.error, error) ? 99 : (int)p.m.status);
}

static int status_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A listening run: what the peer does, and what is then read. */
struct listening {
    struct msa m;
    peer_fn *act;
    bool last;
    pid_t child;
    void (*read)(struct msa *m, struct back *b);
};

static void listen_body(struct msa *m)
{
    struct listening *l = (struct listening *)m;
    char address[128];
    struct back *b = back_listen(m, -1, address);
    assert_true(address[0] == '@' && strlen(address) == 6);
    if (l->act)
        l->child = fork_peer(address, l->last, l->act, NULL);
    l->read(m, b);
}

static struct listening listening(peer_fn *act, bool last,
                                  void (*read)(struct msa *m, struct back *b))
{
    struct listening l = {.m = {.program = "msa-test"}, .act = act, .last = last, .read = read};
    msa_run(&l.m, listen_body);
    if (act)
        status_of(l.child);
    return l;
}

static const float gradient[] = {.5f, -.25f};

static void send_gradients(struct msa *m, struct writer *w)
{
    for (int i = 0; i < 3; i++) {
        struct record r;
        record_new(m, &r);
        r.step = i;
        record_put(m, &r, tensor_of("y", F4, gradient, 1, (size_t[]){2}));
        record_write(&r, w, FRAME_GRADIENT);
        record_free(&r);
    }
    writer_end(w);
}

static void read_gradients(struct msa *m, struct back *b)
{
    struct frame f;
    for (int i = 0; i < 3; i++) {
        struct record r;
        back_next(b, &f);
        assert_int_equal(f.kind, FRAME_GRADIENT);
        assert_int_equal(f.seq, i + 1);
        record_parse(m, &r, &f);
        assert_int_equal(r.step, i);
        assert_true(tensor_value(record_find(&r, "y"), 1) == -.25);
        record_free(&r);
    }
    back_next(b, &f);
    assert_int_equal(f.kind, FRAME_END);
    frame_free(&f);
    back_next(b, &f);
    assert_int_equal(f.kind, 0);
}

static void gradients_come_back(void **state)
{
    (void)state;
    assert_int_equal(listening(send_gradients, true, read_gradients).m.status, MSA_OK);
}

/* With poll alone: back_ready tells of each frame. */
static void poll_gradients(struct msa *m, struct back *b)
{
    int frames = 0;
    while (frames < 4) {
        poll(&(struct pollfd){.fd = back_fd(b), .events = POLLIN}, 1, 1000);
        if (!back_ready(b))
            continue;
        struct frame f;
        back_next(b, &f);
        frame_free(&f);
        frames++;
    }
    (void)m;
}

static void readiness(void **state)
{
    (void)state;
    assert_int_equal(listening(send_gradients, true, poll_gradients).m.status, MSA_OK);
}

static void read_on(struct msa *m, struct back *b)
{
    struct frame f;
    (void)m;
    for (;;) {
        back_next(b, &f);
        frame_free(&f);
    }
}

static void go(struct msa *m, struct writer *w)
{
    (void)m;
    (void)w;
    _exit(9);
}

static void fail_there(struct msa *m, struct writer *w)
{
    (void)m;
    writer_error(w, "msa-peer", "two\nlines");
}

static void a_peer_that_goes(void **state)
{
    (void)state;
    struct listening l = listening(go, true, read_on);
    assert_fails(&l.m, MSA_CUT, "msa-peer is gone: the way back was cut");
    l = listening(go, false, read_on);
    assert_int_equal(l.m.status, MSA_OTHER);
    l = listening(fail_there, true, read_on);
    assert_fails(&l.m, MSA_OTHER, "msa-peer: two?lines");
}

static void forward_mode(struct msa *m, struct writer *w)
{
    header_write(header_new(m), w);
}

static void second_header(struct msa *m, struct writer *w)
{
    forward_mode(m, w);
    writer_end(w);
}

static void wrong_frames(void **state)
{
    (void)state;
    struct listening l = listening(second_header, true, read_on);
    assert_fails(&l.m, MSA_CORRUPT, "way back: frame 1: kind 48 ('H')");
}

/* ---- Who may come ---- */

static void wait_for_one_more(struct msa *m, struct back *b)
{
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    char address[128];
    assert_int_equal(getsockname(b->fd, (struct sockaddr *)&name, &length), 0);
    snprintf(address, sizeof address, "@%.5s", name.sun_path + 1);
    while (!b->reader)
        back_ready(b);
    pid_t second = fork_peer(address, true, NULL, "cannot reach the stage before at @");
    assert_int_equal(status_of(second), MSA_FAILED);
    read_gradients(m, b);
}

static void a_second_peer_is_refused(void **state)
{
    (void)state;
    assert_int_equal(listening(send_gradients, true, wait_for_one_more).m.status, MSA_OK);
}

/* Both are there before the first is let in. */
static void let_in_late(struct msa *m, struct back *b)
{
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    char address[128];
    assert_int_equal(getsockname(b->fd, (struct sockaddr *)&name, &length), 0);
    snprintf(address, sizeof address, "@%.5s", name.sun_path + 1);
    assert_true(poll(&(struct pollfd){.fd = b->fd, .events = POLLIN}, 1, 5000) > 0);
    pid_t second = fork_peer(address, true, NULL,
                             "Connection refused (all stages of a training line share host");
    usleep(100000);
    read_gradients(m, b);
    assert_int_equal(status_of(second), MSA_FAILED);
}

static void a_second_that_waits_is_refused(void **state)
{
    (void)state;
    assert_int_equal(listening(send_gradients, true, let_in_late).m.status, MSA_OK);
}

static void another_user(struct msa *m, struct back *b)
{
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    assert_int_equal(getsockname(b->fd, (struct sockaddr *)&name, &length), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setuid(65534) < 0)
            _exit(2);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char byte;
        bool sent_away =
            connect(fd, (struct sockaddr *)&name, length) == 0 && read(fd, &byte, 1) == 0;
        _exit(sent_away ? 0 : 1);
    }
    while (!readable(b->fd))
        usleep(1000);
    m->common = silent;
    assert_false(back_ready(b));
    assert_null(b->reader);
    assert_true(b->fd >= 0);
    assert_int_equal(status_of(child), 0);
}

static void another_user_is_sent_away(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return; /* only root can be another */
    assert_int_equal(listening(NULL, true, another_user).m.status, MSA_OK);
}

static void connect_nowhere(struct msa *m)
{
    back_connect(m, (const char *)m->settings, true, NULL);
}

static void nobody_listens(void **state)
{
    (void)state;
    char none[] = "@zzzzz", path[] = "/run/x", empty[] = "";
    struct msa m = {.program = "msa-test", .settings = none};
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED,
                 "cannot reach the stage before at @zzzzz: Connection refused (all stages");
    m.settings = path;
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED, "not an address");
    m.settings = empty;
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED, "not an address");
}

/* ---- Nobody comes ---- */

static void too_late(struct msa *m, struct back *b)
{
    m->common = silent;
    b->started -= BACK_PATIENCE - .2;
    read_on(m, b);
}

static void notice(struct msa *m, struct back *b)
{
    m->common = silent;
    assert_false(back_ready(b));
    assert_false(b->noticed);
    b->started -= BACK_NOTICE;
    assert_false(back_ready(b));
    assert_true(b->noticed);
}

static void nobody_comes(void **state)
{
    (void)state;
    struct listening l = listening(NULL, true, too_late);
    assert_fails(&l.m, MSA_FAILED,
                 "nobody takes gradients back: does the line end in msa-backprop?");
    assert_int_equal(listening(NULL, true, notice).m.status, MSA_OK);
}

static void nobody_reads(struct msa *m)
{
    int ends[2];
    char address[128];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    read_on(m, back_listen(m, ends[1], address));
}

static void a_closed_pipe_ends_the_wait(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test"};
    assert_int_equal(msa_run(&m, nobody_reads), MSA_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_come_back),
        cmocka_unit_test(readiness),
        cmocka_unit_test(a_peer_that_goes),
        cmocka_unit_test(wrong_frames),
        cmocka_unit_test(a_second_peer_is_refused),
        cmocka_unit_test(a_second_that_waits_is_refused),
        cmocka_unit_test(another_user_is_sent_away),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(nobody_comes),
        cmocka_unit_test(a_closed_pipe_ends_the_wait),
    };
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
