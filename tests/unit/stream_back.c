/* The way back between two processes (gradient_channel.h). */
#include "common/stream/gradient_channel.c" /* to set its clock */

#include "common/stream/prefix.h"
#include "tests/unit/stream.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { WAIT = 60 };
static const struct msa_common silent = {.quiet = true, .wait = WAIT};

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
    struct peer p = {.m = {.program = "msa-peer", .common = silent},
                     .address = address,
                     .last = last,
                     .act = act};
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
    char address[BACK_ADDRESS];
};

static const char *address_of(const struct msa *m)
{
    return ((const struct listening *)m)->address;
}

static void listen_body(struct msa *m)
{
    struct listening *l = (struct listening *)m;
    struct back *b = back_listen(m, NULL, l->address);
    assert_true(l->address[0] == '@' && strlen(l->address) == 6 + 1 + BACK_TOKEN);
    back_announced(b);
    if (l->act)
        l->child = fork_peer(l->address, l->last, l->act, NULL);
    l->read(m, b);
}

static struct listening listening(peer_fn *act, bool last,
                                  void (*read)(struct msa *m, struct back *b))
{
    struct listening l = {
        .m = {.program = "msa-test", .common = silent}, .act = act, .last = last, .read = read};
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
    while (!b->reader)
        back_ready(b);
    pid_t second = fork_peer(address_of(m), true, NULL,
                             "Connection refused (all stages of a training line share host");
    assert_int_equal(status_of(second), MSA_FAILED);
    read_gradients(m, b);
}

static void a_second_peer_is_refused(void **state)
{
    (void)state;
    assert_int_equal(listening(send_gradients, true, wait_for_one_more).m.status, MSA_OK);
}

/* A socket that is connected as anybody may connect it. */
static int connect_plainly(const char *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char plain[BACK_ADDRESS], token[BACK_ADDRESS];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!peers_address(address, plain, token))
        return -1;
    memcpy(name.sun_path + 1, plain + 1, strlen(plain + 1));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(plain));
    return connect(fd, (struct sockaddr *)&name, length) == 0 ? fd : -1;
}

static bool is_sent_away(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static void another_user(struct msa *m, struct back *b)
{
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (setuid(65534) < 0)
            _exit(2);
        int fd = connect_plainly(address_of(m));
        _exit(fd >= 0 && read(fd, &byte, 1) == 0 ? 0 : 1);
    }
    while (!readable(back_fd(b)))
        usleep(1000);
    assert_false(back_ready(b));
    assert_null(b->reader);
    assert_int_equal(peers_refused(b->peers), 1);
    assert_int_equal(status_of(child), 0);
}

static void another_user_is_sent_away(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return; /* only root can be another */
    assert_int_equal(listening(NULL, true, another_user).m.status, MSA_OK);
}

/* The first frame of a peer that says this token, under a key of 5 letters. */
static size_t hello(uint8_t *bytes, const char *key, const char *token)
{
    uint8_t body[128] = {0x81, 0xa5, [7] = 0xd9, BACK_TOKEN};
    memcpy(body + 2, key, 5);
    memcpy(body + 9, token, BACK_TOKEN);
    struct prefix p = {.magic = {PREFIX_MAGIC_0, PREFIX_MAGIC_1},
                       .version = FRAME_VERSION,
                       .kind = FRAME_HEADER,
                       .flags = FRAME_NO_CRC,
                       .length = 9 + BACK_TOKEN};
    memcpy(bytes, &p, sizeof p);
    memcpy(bytes + sizeof p, body, p.length);
    return sizeof p + p.length;
}

/* Who knows the token, which comes first and says it last, just before one more comes. */
static void a_crowd(struct msa *m, struct back *b)
{
    uint8_t frame[256];
    size_t size = hello(frame, "token", strrchr(address_of(m), ':') + 1);
    int peer = connect_plainly(address_of(m));
    for (int i = 1; i < 16; i++)
        assert_true(connect_plainly(address_of(m)) >= 0);
    assert_false(back_ready(b));
    assert_int_equal(write(peer, frame, size), size);
    assert_true(connect_plainly(address_of(m)) >= 0);
    int admitted = peers_admit(b->peers);
    assert_true(admitted >= 0);
    assert_int_equal(write(peer, "?", 1), 1);
    assert_int_equal(recv(admitted, frame, sizeof frame, 0), size + 1);
    assert_int_equal(peers_refused(b->peers), 0);
}

static void who_has_spoken_is_heard_in_a_crowd(void **state)
{
    (void)state;
    struct listening l = listening(NULL, true, a_crowd);
    assert_string_equal(l.m.error, "");
}

static void those_who_nearly_know(struct msa *m, struct back *b)
{
    uint8_t frame[256];
    const char *token = strrchr(address_of(m), ':') + 1;
    for (int i = 0; i <= BACK_TOKEN; i++) {
        char near[BACK_TOKEN];
        memcpy(near, token, BACK_TOKEN);
        if (i < BACK_TOKEN)
            near[i] ^= 1;
        size_t size = hello(frame, i < BACK_TOKEN ? "token" : "other", near);
        int fd = connect_plainly(address_of(m));
        assert_int_equal(write(fd, frame, size), size);
        assert_false(back_ready(b));
        assert_true(is_sent_away(fd));
        close(fd);
    }
    int fd = connect_plainly(address_of(m));
    size_t size = hello(frame, "token", token);
    assert_int_equal(write(fd, frame, size), size);
    back_ready(b); /* it knows the token, but sends no header that can be read */
    fail();
}

static void every_digit_of_the_token_counts(void **state)
{
    (void)state;
    struct listening l = listening(NULL, true, those_who_nearly_know);
    assert_fails(&l.m, MSA_CORRUPT, "way back: frame 0");
}

/* Each is sent away, or waited for, and the right one still comes through. */
static void strangers(struct msa *m, struct back *b)
{
    static const uint8_t noise[64] = "GET / HTTP/1.1";
    uint8_t frame[256];
    size_t size = hello(frame, "token", "0123456789abcdef0123456789abcdef");
    int loud = connect_plainly(address_of(m)), wrong = connect_plainly(address_of(m)),
        half = connect_plainly(address_of(m)), huge = connect_plainly(address_of(m));
    assert_int_equal(write(loud, noise, sizeof noise), sizeof noise);
    assert_int_equal(write(wrong, frame, size), size);
    assert_int_equal(write(half, frame, size - 1), size - 1);
    ((struct prefix *)frame)->length = BACK_HELLO;
    assert_int_equal(write(huge, frame, size), size);
    assert_false(back_ready(b));
    assert_true(is_sent_away(loud) && is_sent_away(wrong) && is_sent_away(huge));
    assert_false(is_sent_away(half));
    assert_false(readable(back_fd(b))); /* half of a frame does not keep it awake */
    assert_int_equal(write(half, frame + size - 1, 1), 1);
    assert_true(readable(back_fd(b)));
    assert_false(back_ready(b));
    assert_true(is_sent_away(half));
    assert_int_equal(peers_refused(b->peers), 4);
    for (int i = 0; i < 200; i++) {
        assert_true(connect_plainly(address_of(m)) >= 0);
        assert_false(back_ready(b));
    }
    struct listening *l = (struct listening *)m;
    l->child = fork_peer(l->address, true, send_gradients, NULL);
    read_gradients(m, b);
}

static void strangers_do_not_keep_it_from_its_peer(void **state)
{
    (void)state;
    struct listening l = listening(NULL, true, strangers);
    assert_string_equal(l.m.error, "");
    assert_int_equal(status_of(l.child), MSA_OK);
}

static void connect_nowhere(struct msa *m)
{
    back_connect(m, (const char *)m->settings, true, NULL);
}

static void nobody_listens(void **state)
{
    (void)state;
    char none[] = "@zzzzz:0", path[] = "/run/x:0", old[] = "@zzzzz", empty[] = "";
    struct msa m = {.program = "msa-test", .settings = none};
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED,
                 "cannot reach the stage before at @zzzzz: Connection refused (all stages");
    m.settings = path;
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED, "not an address");
    m.settings = old;
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED,
                 "at @zzzzz: not an address with a token (is that stage of version 0.1.0?) (all");
    m.settings = empty;
    msa_run(&m, connect_nowhere);
    assert_fails(&m, MSA_FAILED, "not an address");
}

/* ---- Nobody comes ---- */

static void too_late(struct msa *m, struct back *b)
{
    b->waited = WAIT - .2;
    read_on(m, b);
}

static void notice(struct msa *m, struct back *b)
{
    (void)m;
    assert_false(back_ready(b));
    assert_false(b->noticed);
    b->waited += BACK_NOTICE;
    assert_false(back_ready(b));
    assert_true(b->noticed);
}

/* The time of a process that was stopped, or busy. */
static void asked_late(struct msa *m, struct back *b)
{
    (void)m;
    b->looked -= 3600;
    assert_false(back_ready(b));
    assert_true(b->waited < 2);
}

static void nobody_comes(void **state)
{
    (void)state;
    struct listening l = listening(NULL, true, too_late);
    assert_fails(&l.m, MSA_FAILED,
                 "nobody takes gradients back: does the line end in msa-backprop?");
    assert_int_equal(listening(NULL, true, notice).m.status, MSA_OK);
    assert_int_equal(listening(NULL, true, asked_late).m.status, MSA_OK);
}

static void nobody_reads(struct msa *m)
{
    int ends[2];
    char address[BACK_ADDRESS];
    assert_int_equal(pipe(ends), 0);
    struct back *b = back_listen(m, writer_open(m, ends[1], "pipe"), address);
    close(ends[0]);
    read_on(m, b);
}

/* Who has not read the header may take as long as it likes to start. */
static void header_unread(struct msa *m)
{
    int ends[2];
    char address[BACK_ADDRESS], bytes[65536];
    assert_int_equal(pipe(ends), 0);
    struct writer *w = writer_open(m, ends[1], "pipe");
    struct back *b = back_listen(m, w, address);
    b->looked -= 1; /* a header that the pipe does not take as a whole */
    assert_false(back_ready(b));
    assert_true(b->unread > .9 && b->waited < .1);
    header_write(header_new(m), w);
    back_announced(b);
    b->unread = 0;
    size_t size = writer_sent(w);
    writer_end(w); /* what comes behind it does not count */
    b->waited = WAIT - .1;
    b->looked -= 1;
    assert_false(back_ready(b));
    assert_true(b->unread > .9);
    b->unread = 60;
    assert_false(back_ready(b));
    assert_int_equal(b->minutes, 1);
    assert_int_equal(read(ends[0], bytes, size - 1), size - 1);
    assert_false(back_ready(b));
    assert_int_equal(read(ends[0], bytes, 1), 1);
    close(ends[0]);
    b->looked -= 1;
    back_ready(b);
}

static void patience_begins_when_the_header_is_read(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test", .common = silent};
    msa_run(&m, header_unread);
    assert_fails(&m, MSA_FAILED, "nobody takes gradients back");
}

static void a_closed_pipe_ends_the_wait(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test", .common = silent};
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
        cmocka_unit_test(strangers_do_not_keep_it_from_its_peer),
        cmocka_unit_test(who_has_spoken_is_heard_in_a_crowd),
        cmocka_unit_test(every_digit_of_the_token_counts),
        cmocka_unit_test(another_user_is_sent_away),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(nobody_comes),
        cmocka_unit_test(patience_begins_when_the_header_is_read),
        cmocka_unit_test(a_closed_pipe_ends_the_wait),
    };
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
