/* Programs that connect to the gradient channel. Any program of the host may, so none is taken at
 * its word: up to MOST at a time are looked at, whose first frames have not come yet, and what they
 * send is only peeked at until the token is in it. Of more than MOST the one that came first goes,
 * so that nobody is kept out by those who say nothing. */
#include "common/stream/gradient_peers.h"
#include "common/stream/prefix.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST = 16 };

struct peers {
    struct msa *m;
    int fd;   /* listens; -1: closed */
    int poll; /* the epoll descriptor: fd, and those that are looked at */
    char token[BACK_TOKEN + 1];
    int count;
    int candidates[MOST]; /* in the order in which they came */
    long refused;
    uint8_t hello[BACK_HELLO];
};

static void close_all(struct peers *p)
{
    for (int i = 0; i < p->count; i++)
        close(p->candidates[i]);
    p->count = 0;
    if (p->fd >= 0)
        close(p->fd);
    if (p->poll >= 0)
        close(p->poll);
    p->fd = p->poll = -1;
}

static void release(void *memory)
{
    close_all(memory);
}

/* ---- The address ---- */

static void draw_token(struct peers *p)
{
    uint8_t bytes[BACK_TOKEN / 2];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        msa_fail_errno(p->m, "cannot draw a token for the way back");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(p->token + 2 * i, 3, "%02x", bytes[i]);
}

static bool watch(const struct peers *p, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};
    return epoll_ctl(p->poll, EPOLL_CTL_ADD, fd, &e) == 0;
}

struct peers *peers_listen(struct msa *m, char address[BACK_ADDRESS])
{
    struct peers *p = msa_alloc(m, sizeof *p);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof name;
    p->m = m;
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    p->poll = epoll_create1(EPOLL_CLOEXEC);
    msa_at_free(p, release);
    /* Bound to no name, the kernel makes one up. */
    if (p->fd < 0 || p->poll < 0 ||
        bind(p->fd, (struct sockaddr *)&name, sizeof name.sun_family) < 0 ||
        listen(p->fd, MOST) < 0 || getsockname(p->fd, (struct sockaddr *)&name, &length) < 0 ||
        !watch(p, p->fd, EPOLLIN))
        msa_fail_errno(m, "cannot open a way back");
    draw_token(p);
    int size = (int)(length - offsetof(struct sockaddr_un, sun_path)) - 1;
    snprintf(address, BACK_ADDRESS, "@%.*s:%s", size, name.sun_path + 1, p->token);
    return p;
}

bool peers_address(const char *address, char name[BACK_ADDRESS], char token[BACK_ADDRESS])
{
    const char *colon = strrchr(address, ':');
    if (address[0] != '@' || !colon || colon == address + 1 || !colon[1] ||
        strlen(address) >= BACK_ADDRESS)
        return false;
    snprintf(name, BACK_ADDRESS, "%.*s", (int)(colon - address), address);
    snprintf(token, BACK_ADDRESS, "%s", colon + 1);
    return true;
}

/* ---- Those who come ---- */

static void refuse(struct peers *p, int fd, const char *who)
{
    close(fd);
    if (p->refused++ == 0)
        msa_warn(p->m, "%s was refused on the way back", who);
}

static void remove_one(struct peers *p, int i)
{
    memmove(p->candidates + i, p->candidates + i + 1,
            (size_t)(--p->count - i) * sizeof *p->candidates);
}

bool peers_same_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static void take_one(struct peers *p, int fd)
{
    if (!peers_same_user(fd)) {
        refuse(p, fd, "a program of another user");
        return;
    }
    if (p->count == MOST) {
        refuse(p, p->candidates[0], "a program that says nothing");
        remove_one(p, 0);
    }
    /* The event comes anew with each byte, not as long as some are there: they stay there. */
    if (!watch(p, fd, EPOLLIN | EPOLLRDHUP | EPOLLET))
        msa_fail_errno(p->m, "cannot take a peer on the way back");
    p->candidates[p->count++] = fd;
}

/* False: nobody has come. */
static bool accept_one(struct peers *p)
{
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        take_one(p, fd);
    else if (errno == EAGAIN)
        return false;
    else if (errno != EINTR && errno != ECONNABORTED)
        msa_fail_errno(p->m, "cannot take a peer on the way back");
    return true;
}

/* ---- What they say ---- */

enum verdict { WAIT, OURS, STRANGER };

/* More may come, unless its end is closed. */
static enum verdict more_of(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    poll(&end, 1, 0);
    return end.revents & (POLLRDHUP | POLLHUP | POLLERR) ? STRANGER : WAIT;
}

/* Does the first frame, of this size, repeat the token? Takes as long whatever part of it is wrong.
 */
static bool knows_token(const struct peers *p, size_t size)
{
    static const uint8_t key[] = {0xa5, 't', 'o',  'k',
                                  'e',  'n', 0xd9, BACK_TOKEN}; /* MessagePack */
    const uint8_t *said = memmem(p->hello, size, key, sizeof key);
    unsigned wrong = 0;
    if (!said || p->hello + size - said < (ptrdiff_t)sizeof key + BACK_TOKEN)
        return false;
    said += sizeof key;
    for (int i = 0; i < BACK_TOKEN; i++)
        wrong |= said[i] ^ (uint8_t)p->token[i];
    return !wrong;
}

static enum verdict judge(struct peers *p, int fd)
{
    ssize_t size = recv(fd, p->hello, sizeof p->hello, MSG_PEEK | MSG_DONTWAIT);
    struct prefix prefix;
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? WAIT : STRANGER;
    if (size == 0)
        return STRANGER;
    if ((size_t)size < sizeof prefix)
        return more_of(fd);
    memcpy(&prefix, p->hello, sizeof prefix);
    if (prefix.magic[0] != PREFIX_MAGIC_0 || prefix.magic[1] != PREFIX_MAGIC_1 ||
        prefix.length > sizeof p->hello - sizeof prefix)
        return STRANGER;
    if ((size_t)size < sizeof prefix + prefix.length)
        return more_of(fd);
    return knows_token(p, sizeof prefix + prefix.length) ? OURS : STRANGER;
}

/* The socket of who has said the token, if one has: then no other is kept. Who has said something
 * else is sent away. */
static int hear_all(struct peers *p)
{
    for (int i = 0; i < p->count;) {
        int fd = p->candidates[i];
        enum verdict verdict = judge(p, fd);
        if (verdict == WAIT) {
            i++;
            continue;
        }
        remove_one(p, i);
        if (verdict == OURS) {
            epoll_ctl(p->poll, EPOLL_CTL_DEL, fd, NULL);
            close_all(p);
            return fd;
        }
        refuse(p, fd, "a program that does not know its token");
    }
    return -1;
}

/* All are heard before one more comes in, for whom the first of too many must go. No more come in
 * at once than are kept, so that a flood does not hold it up. */
int peers_admit(struct peers *p)
{
    struct epoll_event events[MOST + 1];
    int ours = hear_all(p);
    for (int i = 0; ours < 0 && i < MOST && accept_one(p); i++)
        ours = hear_all(p);
    if (ours >= 0)
        return ours;
    epoll_wait(p->poll, events, MOST + 1, 0); /* what has been said before is heard now */
    return hear_all(p);
}

int peers_fd(const struct peers *p)
{
    return p->poll;
}

long peers_refused(const struct peers *p)
{
    return p->refused;
}
