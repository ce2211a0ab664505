/* Both ends of the way back: an abstract socket that takes one peer of the same user. */
#include "common/stream/gradient_channel.h"
#include "common/stream/frame_fields.h"
#include "common/stream/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char nobody[] =
    "nobody takes gradients back: does the line end in msa-backprop? to look: "
    "msa-dump -t, or msa-load --split train";

static const char unnamed[] = "the next program";

enum { RETRY = 10 /* ms */ };

struct back {
    struct msa *m;
    int fd;         /* listens; -1: closed, a peer is there */
    int forward;    /* the pipe that the header went into */
    double started; /* seconds */
    bool noticed;   /* it has been said that nobody is there */
    bool greeted;   /* the peer's H has been read */
    bool last;      /* nothing stands behind the peer */
    char peer[64];  /* the peer's name; "" before its H */
    struct reader *reader;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0;
}

static void back_release(void *memory)
{
    struct back *b = memory;
    if (b->fd >= 0)
        close(b->fd);
}

struct back *back_listen(struct msa *m, int forward, char address[128])
{
    struct back *b = msa_alloc(m, sizeof *b);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof name;
    *b = (struct back){.m = m, .forward = forward, .started = seconds()};
    b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    msa_at_free(b, back_release);
    /* Bound to no name, the kernel makes one up. A queue of 0 holds one peer; a second waits. */
    if (b->fd < 0 || bind(b->fd, (struct sockaddr *)&name, sizeof name.sun_family) < 0 ||
        listen(b->fd, 0) < 0 || getsockname(b->fd, (struct sockaddr *)&name, &length) < 0)
        msa_fail_errno(m, "cannot open a way back");
    int size = (int)(length - offsetof(struct sockaddr_un, sun_path)) - 1;
    snprintf(address, 128, "@%.*s", size, name.sun_path + 1);
    return b;
}

/* ---- The peer comes ---- */

static bool same_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

/* The peer has gone without E or X. Somebody else has a reason to give, unless it was the last of
 * the line. */
static void gone(void *closure)
{
    struct back *b = closure;
    const char *who = b->peer[0] ? b->peer : unnamed;
    msa_fail(b->m, b->last || !b->greeted ? MSA_CUT : MSA_OTHER, "%s is gone: the way back was cut",
             who);
}

/* Takes a peer that has come; false when there was none, or one of another user. */
static bool welcome(struct back *b)
{
    int fd = accept4(b->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            msa_fail_errno(b->m, "cannot take a peer on the way back");
        return false;
    }
    if (!same_user(fd)) {
        close(fd);
        msa_warn(b->m, "a program of another user was refused on the way back");
        return false;
    }
    close(b->fd);
    b->fd = -1;
    b->reader = reader_open(b->m, fd, "way back");
    reader_on_cut(b->reader, gone, b);
    return true;
}

/* Reads the peer's H. */
static void greet(struct back *b)
{
    struct frame f;
    reader_next(b->reader, &f);
    if (f.kind == FRAME_ERROR)
        frame_fail_other(b->m, &f);
    struct header *h = header_parse(b->m, &f);
    if (!h->back)
        frame_fail(b->m, &f, NULL, "mode is not back");
    b->last = field_bool(b->m, &f, "last", false);
    const value *pipeline = value_get(f.map, "pipeline");
    const value *self = pipeline && pipeline->via.array.size ? pipeline->via.array.ptr : NULL;
    const char *name = value_text(f.zone, self, "name");
    snprintf(b->peer, sizeof b->peer, "%s", name ? name : unnamed);
    b->greeted = true;
    frame_free(&f);
}

/* How long there is to wait before something is to be said, in ms; says it when it is time. */
static int mind(struct back *b)
{
    double waited = seconds() - b->started;
    if (waited >= BACK_PATIENCE)
        msa_fail(b->m, MSA_FAILED, "%s", nobody);
    if (waited >= BACK_NOTICE && !b->noticed) {
        msa_warn(b->m, "%s", nobody);
        b->noticed = true;
    }
    return (int)ceil(((b->noticed ? BACK_PATIENCE : BACK_NOTICE) - waited) * 1000);
}

/* Goes as far as it can without waiting; true when the peer's H has been read. */
static bool meet(struct back *b)
{
    if (!b->reader && !welcome(b))
        return false;
    if (!b->greeted && readable(reader_fd(b->reader)))
        greet(b);
    return b->greeted;
}

/* Waits for a peer, or for more of its H. One that has closed its input will never come. */
static void wait_for_peer(struct back *b)
{
    struct pollfd ends[2] = {{.fd = back_fd(b), .events = POLLIN}, {.fd = b->forward}};
    poll(ends, 2, mind(b));
    if (!ends[0].revents && ends[1].revents & (POLLERR | POLLHUP))
        msa_fail(b->m, MSA_CLOSED, "the next program has closed its input");
}

/* ---- Frames ---- */

void back_await_peer(struct back *b)
{
    while (!meet(b))
        wait_for_peer(b);
}

void back_next(struct back *b, struct frame *f)
{
    back_await_peer(b);
    if (!reader_next(b->reader, f))
        *f = (struct frame){0};
    else if (f->kind == FRAME_ERROR)
        frame_fail_other(b->m, f);
}

bool back_ready(struct back *b)
{
    if (!meet(b)) {
        mind(b);
        return false;
    }
    return reader_buffered(b->reader) || readable(reader_fd(b->reader));
}

int back_fd(const struct back *b)
{
    return b->reader ? reader_fd(b->reader) : b->fd;
}

/* ---- The other end ---- */

enum { LAST_WORDS = 1000 /* ms */ };

/* A stage that cannot be reached may have failed, and its X be on the way. */
static void listen_for_failure(struct msa *m, struct reader *forward)
{
    struct frame f;
    if (!forward)
        return;
    struct pollfd end = {.fd = reader_fd(forward), .events = POLLIN};
    bool there = reader_buffered(forward) || poll(&end, 1, LAST_WORDS) > 0;
    if (there && reader_next(forward, &f) && f.kind == FRAME_ERROR)
        frame_fail_other(m, &f);
}

static _Noreturn void unreachable(struct msa *m, const char *address, struct reader *forward,
                                  const char *reason)
{
    listen_for_failure(m, forward);
    msa_fail(m, MSA_FAILED,
             "cannot reach the stage before at %s: %s (all stages of a training line share host, "
             "user and network namespace, and each has one successor)",
             address, reason);
}

/* Another peer may be waiting in the queue; it may yet be sent away. */
static void connect_patiently(struct msa *m, int fd, const char *address, struct reader *forward)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size = strlen(address);
    if (address[0] != '@' || size < 2 || size > sizeof name.sun_path)
        unreachable(m, address, forward, "not an address");
    memcpy(name.sun_path + 1, address + 1, size - 1);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    double end = seconds() + BACK_PATIENCE;
    while (connect(fd, (struct sockaddr *)&name, length) < 0) {
        if (errno == EAGAIN && seconds() > end)
            unreachable(m, address, forward, "another stage has been waiting there");
        if (errno != EAGAIN && errno != EINTR)
            unreachable(m, address, forward, strerror(errno));
        poll(NULL, 0, RETRY);
    }
}

struct writer *back_connect(struct msa *m, const char *address, bool last, struct reader *forward)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        msa_fail_errno(m, "cannot open a way back");
    struct writer *w = writer_open(m, fd, "way back");
    writer_forgive(w);
    connect_patiently(m, fd, address, forward);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (!same_user(fd))
        unreachable(m, address, forward, "it belongs to another user");
    struct header *h = header_new(m);
    h->back = true;
    header_sign(h);
    value_set(m, h->zone, &h->map, "last", value_of_bool(last));
    header_write(h, w);
    return w;
}
