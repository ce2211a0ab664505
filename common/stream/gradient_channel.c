/* Both ends of the gradient channel: an abstract socket that takes one peer, which knows its token.
 */
#include "common/stream/gradient_channel.h"
#include "common/stream/frame_fields.h"
#include "common/stream/gradient_peers.h"

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

enum { STEP = 1 /* s: at least so often it is asked how long has been waited */ };

struct back {
    struct msa *m;
    struct peers *peers;
    struct writer *forward; /* takes the header to the next program; NULL: not watched */
    uint64_t announced;     /* its bytes up to the end of the header */
    double looked;          /* when it was last asked how long has been waited, in seconds */
    double unread, waited;  /* seconds, before the next program has read the header, and since */
    bool noticed;           /* it has been said that nobody is there */
    int minutes;            /* so often it has been said that the header is not read */
    bool greeted;           /* the peer's H has been read */
    bool last;              /* nothing stands behind the peer */
    char peer[64];          /* the peer's name; "" before its H */
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

struct back *back_listen(struct msa *m, struct writer *forward, char address[BACK_ADDRESS])
{
    struct back *b = msa_alloc(m, sizeof *b);
    *b = (struct back){.m = m, .forward = forward, .looked = seconds()};
    b->peers = peers_listen(m, address);
    return b;
}

void back_announced(struct back *b)
{
    b->announced = b->forward ? writer_sent(b->forward) : 0;
    b->looked = seconds();
}

/* ---- The peer comes ---- */

/* The peer has gone without E or X. Somebody else has a reason to give, unless it was the last of
 * the line. */
static void gone(void *closure)
{
    struct back *b = closure;
    const char *who = b->peer[0] ? b->peer : unnamed;
    msa_fail(b->m, b->last || !b->greeted ? MSA_CUT : MSA_OTHER, "%s is gone: the way back was cut",
             who);
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

/* Is part of the header still in the pipe, or, of a long one, still to be written? */
static bool is_unread(const struct back *b)
{
    return b->forward &&
           (!b->announced || writer_unread(b->forward) > writer_sent(b->forward) - b->announced);
}

/* The first has been said already. */
static void tell_refused(const struct back *b)
{
    if (peers_refused(b->peers) > 1)
        msa_warn(b->m, "%ld programs were refused on the way back", peers_refused(b->peers));
}

static _Noreturn void give_up(struct back *b)
{
    tell_refused(b);
    msa_fail(b->m, MSA_FAILED, "%s", nobody);
}

/* How long there is to wait before something is to be said, in ms; says it when it is time. While
 * the next program has not read the header it may still be starting, and only the end of the pipe
 * says that it never will. Time in which nobody has asked is not counted: the process was stopped,
 * or had something to compute. */
static int mind(struct back *b)
{
    double now = seconds(), since = fmin(now - b->looked, 1.5 * STEP);
    long wait = b->m->common.wait;
    b->looked = now;
    if (is_unread(b)) {
        b->unread += since;
        if (b->unread >= 60. * (b->minutes + 1)) {
            b->minutes++;
            msa_warn(b->m, "the next program has not read the header for %d min", b->minutes);
        }
        return STEP * 1000;
    }
    b->waited += since;
    if (b->waited >= (double)wait)
        give_up(b);
    if (b->waited >= BACK_NOTICE && !b->noticed) {
        msa_warn(b->m, "%s", nobody);
        b->noticed = true;
    }
    double left = (b->noticed ? (double)wait : fmin(BACK_NOTICE, (double)wait)) - b->waited;
    return (int)ceil(fmin(left, STEP) * 1000);
}

/* Goes as far as it can without waiting; true when the peer's H has been read. */
static bool meet(struct back *b)
{
    if (b->greeted)
        return true;
    int fd = peers_admit(b->peers);
    if (fd < 0)
        return false;
    tell_refused(b);
    b->reader = reader_open(b->m, fd, "way back");
    reader_on_cut(b->reader, gone, b);
    greet(b);
    return true;
}

/* Waits for a peer. One that has closed its input will never come. */
static void wait_for_peer(struct back *b)
{
    struct pollfd ends[2] = {{.fd = back_fd(b), .events = POLLIN},
                             {.fd = b->forward ? writer_fd(b->forward) : -1}};
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
    return b->reader ? reader_fd(b->reader) : peers_fd(b->peers);
}

/* ---- The other end ---- */

enum { LAST_WORDS = 1000 /* ms */ };

/* A stage that cannot be reached may have failed, and its X be on the way, behind records. */
static void listen_for_failure(struct msa *m, struct reader *forward)
{
    struct frame f;
    if (!forward)
        return;
    struct pollfd end = {.fd = reader_fd(forward), .events = POLLIN};
    while (reader_buffered(forward) || poll(&end, 1, LAST_WORDS) > 0) {
        if (!reader_next(forward, &f))
            return;
        if (f.kind == FRAME_ERROR)
            frame_fail_other(m, &f);
        frame_free(&f);
    }
}

/* `where`: an address without its token, for the line may be kept. */
static _Noreturn void unreachable(struct msa *m, const char *where, struct reader *forward,
                                  const char *reason)
{
    listen_for_failure(m, forward);
    msa_fail(m, MSA_FAILED,
             "cannot reach the stage before at %s: %s (all stages of a training line share host, "
             "user and network namespace, and each has one successor)",
             where, reason);
}

enum { RETRY = 10 /* ms */ };

/* The queue of those who have come may be full for a moment. Time in which this process is stopped
 * does not count. */
static void connect_patiently(struct msa *m, int fd, const char *where, struct reader *forward)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size = strlen(where + 1);
    if (size >= sizeof name.sun_path)
        unreachable(m, where, forward, "not an address");
    memcpy(name.sun_path + 1, where + 1, size);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    long tries = m->common.wait * 1000 / RETRY;
    while (connect(fd, (struct sockaddr *)&name, length) < 0) {
        if (errno == EAGAIN && tries-- == 0)
            unreachable(m, where, forward, "others have been waiting there");
        if (errno != EAGAIN && errno != EINTR)
            unreachable(m, where, forward, strerror(errno));
        poll(NULL, 0, RETRY);
    }
}

struct writer *back_connect(struct msa *m, const char *address, bool last, struct reader *forward)
{
    char where[BACK_ADDRESS], token[BACK_ADDRESS];
    if (!peers_address(address, where, token))
        unreachable(m, address, forward,
                    "not an address with a token (is that stage of version 0.1.0?)");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        msa_fail_errno(m, "cannot open a way back");
    struct writer *w = writer_open(m, fd, "way back");
    writer_forgive(w);
    connect_patiently(m, fd, where, forward);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (!peers_same_user(fd))
        unreachable(m, where, forward, "it belongs to another user");
    struct header *h = header_new(m);
    h->back = true;
    header_sign_name(h);
    value_set(m, h->zone, &h->map, "last", value_of_bool(last));
    value_set(m, h->zone, &h->map, "token", value_str(m, h->zone, token));
    header_write(h, w);
    return w;
}
